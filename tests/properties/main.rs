//! What holds in every conversation, whatever the network and the store do to it: each property over random schedules, in both profiles.
//!
//! A schedule follows from its seed alone. A failure prints the seed; `UNDERTONE_SEED` runs that one again, and `UNDERTONE_SCHEDULES` sets how many
//! schedules a property is tried on.

mod conversation;
mod conversations;
mod corruption;
mod device;
mod epochs;
mod flips;
mod flips_of_records;
mod group_flips;
mod group_members;
mod groups;
mod key_uses;
mod limits_of_groups;
mod limits_of_sessions;
mod record_size;
mod schedule;
mod wire_profile;

/// Runs generic properties as one test per profile.
macro_rules! in_both_profiles {
    ($($(#[$attribute:meta])* $property:ident;)*) => {
        mod native {
            $($(#[$attribute])* #[test] fn $property() { super::$property::<undertone::profile::Undertone>(); })*
        }
        mod signal {
            $($(#[$attribute])* #[test] fn $property() { super::$property::<undertone::profile::Signal>(); })*
        }
    };
}
use in_both_profiles;
