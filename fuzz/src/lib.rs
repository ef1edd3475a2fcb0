//! What the fuzz targets share: the laws that hold for any bytes, and the seeds they begin with.

pub mod laws;
pub mod seeds;
