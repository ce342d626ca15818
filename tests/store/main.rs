//! Stores: that ours keep the contract, that the suite for others bites, that the sealing layer hides and refuses, and what becomes of a damaged file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod broken;
mod conforming;
mod damage;
mod folder;
mod power_loss;
mod recording;
mod sealing;
