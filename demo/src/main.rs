//! x
mod case; mod columns; mod history; mod model; mod production; mod random; mod table; mod traffic;
fn main() {}
