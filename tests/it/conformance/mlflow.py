"""Stores a scikit-learn model of four named numbers as MLflow keeps one."""
import mlflow
import numpy
import pandas
from sklearn.linear_model import LogisticRegression

names = ["income", "debt", "tenure", "age"]
x = pandas.DataFrame(numpy.random.default_rng(9).normal(size=(400, 4)), columns=names)
fitted = LogisticRegression().fit(x, (x.to_numpy() @ [1.0, -0.5, 0.25, 0.0] > 0).astype(int))
signature = mlflow.models.infer_signature(x, fitted.predict(x))
mlflow.sklearn.save_model(fitted, "model", signature=signature, serialization_format="cloudpickle")
