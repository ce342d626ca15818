//! The transport in memory: that it does what every transport must, that its faults are the same every time, and that the suite finds transports that do not.

mod broken;
mod faults;

use futures_executor::block_on;
use undertone::transport::{MemoryServer, ServerLimits, conformance::Suite};

#[test]
fn the_memory_transport_passes_the_suite() {
    let server = MemoryServer::new();
    let report = block_on(Suite::new(|| server.transport()).run());
    assert!(report.is_ok(), "{report}");
    assert!(report.checks.len() > 20);
}

#[test]
fn a_server_with_limits_of_its_own_passes_too() {
    let server = MemoryServer::with_limits(ServerLimits { envelope: 100, ..ServerLimits::default() });
    let report = block_on(Suite::new(|| server.transport()).largest_envelope(100).run());
    assert!(report.is_ok(), "{report}");
}
