//! The model's side: one chat call in the endpoint's wire format, its pace, its price and its
//! recording; a look whether an endpoint is there, a call to see whether it answers, and a scripted endpoint for trying things
//! without a key.

mod answer;
mod asked;
#[cfg(test)]
pub(crate) mod canned;
pub mod chat;
pub mod client;
mod endpoint;
pub mod ids;
pub mod pace;
pub mod price;
pub mod probe;
pub mod provider;
pub mod reach;
pub mod refusal;
pub mod reset;
pub mod retries;
mod rule;
pub mod script;
pub mod tape;
pub mod under_way;
mod wire;
