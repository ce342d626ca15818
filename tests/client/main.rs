//! What an application sees of the client, over the store and the server in memory.
#![cfg(not(target_family = "wasm"))]

mod bad_input;
mod conversations;
mod costs;
mod counting;
mod devices;
mod flawed_store;
mod log_capture;
mod many_tasks;
mod prekeys;
mod receipts;
mod repair;
mod silence;
mod swarm;
mod trust;
mod waiting;
mod world;
