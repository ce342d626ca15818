//! Which handshakes a device takes part in, and how strong the one made was.

/// Which handshakes are allowed. The default is PQXDH and nothing else.
///
/// ```
/// use undertone::handshake::HandshakePolicy;
///
/// assert!(!HandshakePolicy::default().allows_x3dh());
/// assert!(HandshakePolicy::allow_x3dh_without_post_quantum().allows_x3dh());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakePolicy {
    x3dh: bool,
}

impl HandshakePolicy {
    /// Also allows X3DH, for a peer that publishes no KEM prekey: a recorded conversation can then be read by whoever breaks X25519.
    ///
    /// X3-12, B12: it is never a fallback of the library's own choosing. A server can strip the KEM prekey from a bundle, so a caller that passes this for
    /// every peer gives up the post-quantum handshake for all of them.
    #[must_use]
    pub const fn allow_x3dh_without_post_quantum() -> Self {
        Self { x3dh: true }
    }

    /// Whether X3DH is allowed.
    #[must_use]
    pub const fn allows_x3dh(self) -> bool {
        self.x3dh
    }
}

/// What kind of keys a handshake rests on (B4): worth showing, since a server chooses which prekeys it hands out.
///
/// ```
/// use undertone::handshake::HandshakeStrength;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// let mut with_bob = SessionRecord::new(&alice, bobs.clone())?;
/// let without_one_time = prekeys.bundle(&bob, false)?;
/// let strength = with_bob.initiate(&alice, &without_one_time, &TrustedIdentity::FirstUse, policy, now, &mut rng)?;
/// assert_eq!(strength, HandshakeStrength::LastResort);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeStrength {
    /// A one-time KEM prekey: the first messages stay secret once it is erased, and cannot be replayed.
    OneTime,
    /// A last-resort KEM prekey, or one of which it is not known: the first messages stay secret once the prekey has been rotated and erased.
    LastResort,
    /// X3DH: no post-quantum secrecy until the first epoch of the post-quantum ratchet is complete.
    WithoutPostQuantum,
}

impl HandshakeStrength {
    /// 1, 2, 3 in the order of the variants.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::OneTime => 1,
            Self::LastResort => 2,
            Self::WithoutPostQuantum => 3,
        }
    }

    /// The strength of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::OneTime),
            2 => Some(Self::LastResort),
            3 => Some(Self::WithoutPostQuantum),
            _ => None,
        }
    }
}
