//! The model's side: prices, one chat call to see whether an endpoint answers, and a scripted
//! endpoint for trying things without a key.

pub mod price;
pub mod probe;
pub mod provider;
pub mod script;
