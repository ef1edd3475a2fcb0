//! What is made of files and made again when they change. On any error what was made before stays. Shell.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::ConfigProblem;

/// Files, and what is made of them.
pub(crate) trait Source {
    /// What is made.
    type Made;

    /// The contents of the files, in a fixed order.
    fn read(&self) -> Result<Vec<Vec<u8>>, ConfigProblem>;

    /// Makes it of contents.
    fn make(&self, contents: &[Vec<u8>]) -> Result<Self::Made, ConfigProblem>;
}

/// What was made last, and of what.
#[derive(Debug)]
pub(crate) struct Held<S: Source> {
    source: S,
    state: Mutex<State<S::Made>>,
}

#[derive(Debug)]
struct State<T> {
    made: Arc<T>,
    /// What was tried last, so that what does not fit is not tried and counted again and again.
    tried: Vec<Vec<u8>>,
}

impl<S: Source> Held<S> {
    /// Makes it for the first time.
    pub(crate) fn load(source: S) -> Result<Self, ConfigProblem> {
        let tried = source.read()?;
        let made = Arc::new(source.make(&tried)?);
        let state = Mutex::new(State { made, tried });
        Ok(Self { source, state })
    }

    fn state(&self) -> MutexGuard<'_, State<S::Made>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was made last.
    pub(crate) fn now(&self) -> Arc<S::Made> {
        Arc::clone(&self.state().made)
    }

    /// Makes it again if its files changed; true if it was made.
    pub(crate) fn reload(&self) -> Result<bool, ConfigProblem> {
        let found = self.source.read()?;
        if self.state().tried == found {
            return Ok(false);
        }
        let made = self.source.make(&found);
        let mut state = self.state();
        state.tried = found;
        state.made = Arc::new(made?);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Number(RefCell<Vec<u8>>);

    impl Source for Number {
        type Made = u32;

        fn read(&self) -> Result<Vec<Vec<u8>>, ConfigProblem> {
            Ok(vec![self.0.borrow().clone()])
        }

        fn make(&self, contents: &[Vec<u8>]) -> Result<u32, ConfigProblem> {
            let text = String::from_utf8_lossy(&contents[0]);
            text.parse().map_err(|_| ConfigProblem::Unfit {
                file: "number".to_owned(),
                message: "no number".to_owned(),
            })
        }
    }

    #[test]
    fn what_does_not_fit_is_said_once_and_what_was_made_before_stays() {
        let held = Held::load(Number(RefCell::new(b"1".to_vec()))).unwrap();
        assert!(!held.reload().unwrap(), "nothing changed");
        *held.source.0.borrow_mut() = b"one".to_vec();
        assert!(held.reload().is_err());
        assert!(!held.reload().unwrap(), "it was tried");
        assert_eq!(*held.now(), 1);
        *held.source.0.borrow_mut() = b"2".to_vec();
        assert!(held.reload().unwrap());
        assert_eq!(*held.now(), 2);
    }
}
