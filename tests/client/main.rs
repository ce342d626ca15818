//! What an application sees of the client, over the store and the server in memory.
#![cfg(not(target_family = "wasm"))]

mod conversations;
mod costs;
mod counting;
mod devices;
mod receipts;
mod world;
