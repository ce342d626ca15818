//! A conversation of several devices over a network that loses, reorders, repeats and corrupts, on devices that crash; and the model of what has to arrive.

use crate::corruption::corrupted;
use crate::device::{Device, START};
use crate::schedule::{Rng, happens, one_of};
use crate::wire_profile::WireProfile;
use rand::{Rng as _, RngExt};
use std::collections::{BTreeMap, BTreeSet};
use undertone::{DecryptedBy, EnvelopeKind, Error, ErrorKind};

/// Chains that a device keeps besides the newest, over all of which a message may be late.
const LATE_CHAINS: u64 = 4;
/// Sessions of one record stay far below those that the archive keeps.
const MOST_SESSIONS: u32 = 12;
/// The schedules end before a skipped key is too old.
const LONGEST: u64 = 6 * 86_400;

/// Something on its way, or arrived.
#[derive(Clone)]
pub struct Packet {
    from: usize,
    to: usize,
    kind: EnvelopeKind,
    bytes: Vec<u8>,
    number: u64,
    plaintext: Vec<u8>,
    /// At least as many sending chains lie between two messages of a direction as their turns differ.
    turn: u64,
    /// Post-quantum epochs that the sender had completed.
    epoch: u64,
}

/// One direction between two devices.
#[derive(Default)]
struct Direction {
    turn: u64,
    heard_since: bool,
    /// The newest turn of which the receiver has read something.
    newest_read: u64,
    /// The most epochs that the receiver has ever completed in a session of the pair.
    newest_epoch: u64,
    begun: u32,
}

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Tally {
    pub sent: u64,
    pub read: u64,
    pub lost: u64,
    pub refused: u64,
    pub replays: u64,
    pub corruptions: u64,
    pub restarts: u64,
    pub crashes: u64,
    pub epochs: u64,
}

/// How often what happens, in parts of their sum.
pub struct Weather {
    pub send: u32,
    pub deliver: u32,
    pub lose: u32,
    pub replay: u32,
    pub corrupt: u32,
    pub restart: u32,
    pub begin_again: u32,
    pub rotate_prekeys: u32,
    /// Packets that may overtake one another.
    pub window: usize,
    /// The most messages sent at once.
    pub burst: usize,
    /// In percent of the operations.
    pub crash: u32,
    /// In percent of the operations that are also made on a twin read from the store.
    pub twin: u32,
}

impl Weather {
    /// One of the many.
    pub fn of(rng: &mut Rng) -> Self {
        let often = |rng: &mut Rng| if rng.random() { rng.random_range(0..10) } else { 0 };
        Self {
            send: rng.random_range(10..40),
            deliver: rng.random_range(20..60),
            lose: often(rng),
            replay: often(rng),
            corrupt: often(rng),
            restart: often(rng) / 3,
            begin_again: u32::from(happens(30, rng)),
            rotate_prekeys: u32::from(happens(30, rng)),
            window: *one_of(&[1, 2, 8, 20, 20, 200], rng),
            burst: *one_of(&[1, 1, 3, 12, 40], rng),
            crash: *one_of(&[0, 0, 5], rng),
            twin: *one_of(&[0, 3], rng),
        }
    }
}

/// Devices, and a network between all of them.
pub struct Conversation<P: WireProfile> {
    devices: Vec<Device<P>>,
    directions: BTreeMap<(usize, usize), Direction>,
    network: Vec<Packet>,
    arrived: Vec<Packet>,
    read: BTreeSet<u64>,
    now: u64,
    /// What became of the messages.
    pub tally: Tally,
}

impl<P: WireProfile> Conversation<P> {
    /// So many strangers.
    pub fn new(devices: usize, rng: &mut Rng) -> Self {
        Self {
            devices: (0..devices).map(|user| Device::new(user, START, rng)).collect(),
            directions: BTreeMap::new(),
            network: Vec::new(),
            arrived: Vec::new(),
            read: BTreeSet::new(),
            now: START,
            tally: Tally::default(),
        }
    }

    /// So many events of the weather.
    pub fn pass(&mut self, events: usize, weather: &Weather, rng: &mut Rng) {
        for _ in 0..events {
            if self.now < START + LONGEST {
                self.now += rng.random_range(0..600);
            }
            let device = rng.random_range(0..self.devices.len());
            let choices = [
                weather.send,
                weather.deliver,
                weather.lose,
                weather.replay,
                weather.corrupt,
                weather.restart,
                weather.begin_again,
                weather.rotate_prekeys,
            ];
            let mut draw = rng.random_range(0..choices.iter().sum());
            let choice = choices.iter().position(|weight| {
                let chosen = draw < *weight;
                draw = draw.saturating_sub(*weight);
                chosen
            });
            match choice.unwrap() {
                0 => {
                    let to = self.other_than(device, rng);
                    for _ in 0..rng.random_range(1..=weather.burst) {
                        self.send(device, to, weather, rng);
                    }
                }
                1 => {
                    for _ in 0..rng.random_range(1..=weather.burst) {
                        if let Some(packet) = self.take(weather.window, rng) {
                            self.deliver(packet, weather, rng);
                        }
                    }
                }
                2 => {
                    for _ in 0..rng.random_range(1..=weather.burst) {
                        self.lose(weather, rng);
                    }
                }
                3 => self.replay(rng),
                4 => {
                    for _ in 0..rng.random_range(1..=weather.burst) {
                        self.corrupt(rng);
                    }
                }
                5 => {
                    self.tally.restarts += 1;
                    self.devices[device].restart();
                }
                6 => {
                    let to = self.other_than(device, rng);
                    self.begin(device, to, rng);
                }
                _ => self.devices[device].rotate_prekeys(self.now, rng),
            }
        }
    }

    /// The network heals: everything under way arrives, everyone writes to everyone in turns, and every pair ends up in one session.
    pub fn heal(&mut self, rng: &mut Rng) {
        let calm = Weather { crash: 0, twin: 0, window: 1, ..Weather::of(rng) };
        while let Some(packet) = self.take(usize::MAX, rng) {
            self.deliver(packet, &calm, rng);
        }
        for one in 0..self.devices.len() {
            for other in 0..one {
                let mut last = [None, None];
                for round in 0..10 {
                    for (side, (from, to)) in [(one, other), (other, one)].into_iter().enumerate() {
                        self.send(from, to, &calm, rng);
                        let packet = self.network.pop().expect("it was just sent");
                        let by = self.deliver(packet, &calm, rng);
                        assert!(by.is_some(), "round {round} after the network healed: a message was refused");
                        last[side] = by;
                    }
                }
                assert_eq!(last, [Some(DecryptedBy::Current); 2], "the two sides agree on one session");
                let status =
                    [(one, other), (other, one)].map(|(of, with)| self.devices[of].status(&self.devices[with].address));
                assert!(status.iter().all(|status| status.acknowledged), "the session is answered on both sides");
                let epochs = status.map(|status| status.post_quantum_epoch);
                assert!(epochs[0].abs_diff(epochs[1]) <= 1, "post-quantum epochs of one session: {epochs:?}");
                self.tally.epochs = self.tally.epochs.max(epochs[0]);
            }
        }
        let Tally { sent, read, lost, refused, .. } = self.tally;
        assert!(self.network.is_empty());
        assert!(
            read + lost + refused >= sent,
            "every message was read, lost, or refused with a reason: {:?}",
            self.tally
        );
    }

    /// The same bytes are handed in once more, for ever after: nothing is read twice.
    pub fn replay_everything(&mut self) {
        for packet in std::mem::take(&mut self.arrived) {
            if self.read.contains(&packet.number) {
                self.replay_of(&packet);
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, weather: &Weather, rng: &mut Rng) {
        let peer = self.devices[to].address.clone();
        let has_session = self.devices[from].sessions.get(&peer).is_some_and(|record| record.status().is_some());
        if !has_session {
            self.begin(from, to, rng);
        }
        let number = self.tally.sent;
        let mut plaintext = vec![0; *one_of(&[0, 1, 15, 16, 17, 100, 1500], rng)];
        rng.fill_bytes(&mut plaintext);
        let direction = self.directions.entry((from, to)).or_default();
        if std::mem::take(&mut direction.heard_since) {
            direction.turn += 1;
        }
        let turn = direction.turn;
        let device = &mut self.devices[from];
        if happens(weather.crash, rng) {
            // It crashes before the commit: nothing has left the device.
            self.tally.crashes += 1;
            let before = device.store();
            device.encrypt(&peer, &plaintext, self.now, rng).unwrap();
            device.restore(&before);
        }
        let twin = happens(weather.twin, rng).then(|| (device.twin(), rng.clone()));
        let epoch = device.epoch(&peer);
        let envelope =
            device.encrypt(&peer, &plaintext, self.now, rng).expect("a session that is fresh or answered sends");
        if let Some((mut twin, mut rng)) = twin {
            let same = twin.encrypt(&peer, &plaintext, self.now, &mut rng).unwrap();
            assert!(same == envelope && twin.store() == device.store(), "a restored record encrypts otherwise");
        }
        self.tally.sent += 1;
        self.network.push(Packet {
            from,
            to,
            kind: envelope.kind,
            bytes: envelope.bytes,
            number,
            plaintext,
            turn,
            epoch,
        });
    }

    fn begin(&mut self, from: usize, to: usize, rng: &mut Rng) {
        let direction = self.directions.entry((from, to)).or_default();
        if direction.begun == MOST_SESSIONS {
            return;
        }
        direction.begun += 1;
        let one_time = happens(70, rng);
        let bundle = self.devices[to].bundle(one_time, self.now, rng);
        self.devices[from].begin(&bundle, self.now, rng).unwrap();
    }

    /// One of the packets that have waited longest.
    fn take(&mut self, window: usize, rng: &mut Rng) -> Option<Packet> {
        if self.network.is_empty() {
            return None;
        }
        Some(self.network.remove(rng.random_range(0..window.min(self.network.len()))))
    }

    fn lose(&mut self, weather: &Weather, rng: &mut Rng) {
        if let Some(packet) = self.take(weather.window, rng) {
            self.tally.lost += 1;
            if happens(50, rng) {
                // A replay may bring it after all.
                self.arrived.push(packet);
            }
        }
    }

    fn deliver(&mut self, packet: Packet, weather: &Weather, rng: &mut Rng) -> Option<DecryptedBy> {
        let peer = self.devices[packet.from].address.clone();
        let device = &mut self.devices[packet.to];
        if happens(weather.crash, rng) {
            // It crashes before the commit; the network delivers again.
            self.tally.crashes += 1;
            let (before, pins) = (device.store(), device.pins.clone());
            let _ = device.decrypt(&peer, packet.kind, &packet.bytes, self.now);
            device.restore(&before);
            device.pins = pins;
        }
        let twin = happens(weather.twin, rng).then(|| device.twin());
        let result = device.decrypt_checked(&peer, packet.kind, &packet.bytes, self.now);
        if let Some(mut twin) = twin {
            let same = twin.decrypt(&peer, packet.kind, &packet.bytes, self.now);
            let alike = match (&same, &result) {
                (Ok(same), Ok(read)) => same.plaintext == read.plaintext && same.by == read.by,
                (Err(same), Err(error)) => same == error,
                _ => false,
            };
            assert!(alike && twin.store() == device.store(), "a restored record decrypts otherwise");
        }
        let by = match result {
            Ok(decrypted) => {
                assert!(decrypted.plaintext == packet.plaintext, "message {} reads as another", packet.number);
                self.note_read(&packet);
                Some(decrypted.by)
            }
            Err(error) => {
                self.check_refusal(&packet, &error);
                None
            }
        };
        self.arrived.push(packet);
        by
    }

    fn note_read(&mut self, packet: &Packet) {
        assert!(self.read.insert(packet.number), "message {} was read twice", packet.number);
        self.tally.read += 1;
        let epoch = self.devices[packet.to].epoch(&self.devices[packet.from].address);
        let direction = self.directions.entry((packet.from, packet.to)).or_default();
        direction.newest_read = direction.newest_read.max(packet.turn);
        direction.newest_epoch = direction.newest_epoch.max(epoch);
        self.directions.entry((packet.to, packet.from)).or_default().heard_since = true;
    }

    /// A message is refused only if it came more than five chains late, or two post-quantum epochs. A sender that has completed an epoch may still
    /// write in the one before it, so that as far as this model can tell one epoch is late enough.
    fn check_refusal(&mut self, packet: &Packet, error: &Error) {
        self.tally.refused += 1;
        assert!(matches!(error.kind(), ErrorKind::InvalidMessage | ErrorKind::Duplicate), "{error}");
        if self.read.contains(&packet.number) {
            // It came twice, or a copy was read in its place that was spoilt where not all is authenticated.
            return;
        }
        let direction = &self.directions[&(packet.from, packet.to)];
        let is_late = direction.newest_read.saturating_sub(packet.turn) > LATE_CHAINS;
        let is_of_old_epoch = direction.newest_epoch > packet.epoch;
        assert!(
            is_late || is_of_old_epoch,
            "message {} from {} to {} was refused with {error}; its turn {}, newest read {}; its epoch {}, newest {}",
            packet.number,
            packet.from,
            packet.to,
            packet.turn,
            direction.newest_read,
            packet.epoch,
            direction.newest_epoch,
        );
    }

    fn replay(&mut self, rng: &mut Rng) {
        if self.arrived.is_empty() {
            return;
        }
        let packet = one_of(&self.arrived, rng).clone();
        if self.read.contains(&packet.number) {
            self.replay_of(&packet);
        } else {
            self.network.push(packet);
        }
    }

    fn replay_of(&mut self, packet: &Packet) {
        self.tally.replays += 1;
        let peer = self.devices[packet.from].address.clone();
        let result = self.devices[packet.to].decrypt_checked(&peer, packet.kind, &packet.bytes, self.now);
        let error = result.expect_err("a message is read once");
        assert!(matches!(error.kind(), ErrorKind::Duplicate | ErrorKind::InvalidMessage), "a replay: {error}");
    }

    fn corrupt(&mut self, rng: &mut Rng) {
        let pool = if rng.random() { &self.network } else { &self.arrived };
        if pool.is_empty() {
            return;
        }
        self.tally.corruptions += 1;
        let packet = one_of(pool, rng).clone();
        let bytes = corrupted(&packet.bytes, rng);
        let peer = self.devices[packet.from].address.clone();
        let device = &mut self.devices[packet.to];
        let pin = device.pins.get(&peer).cloned();
        match device.decrypt_checked(&peer, packet.kind, &bytes, self.now) {
            Err(_) => {}
            Ok(decrypted) => {
                assert!(!P::AUTHENTICATES_ALL, "a corrupted message was read");
                assert_eq!(packet.kind, EnvelopeKind::First, "a corrupted message was read");
                assert!(decrypted.plaintext == packet.plaintext, "a corrupted message reads as another");
                assert!(pin.is_none_or(|pin| pin == decrypted.sender));
                self.note_read(&packet);
            }
        }
    }

    fn other_than(&self, device: usize, rng: &mut Rng) -> usize {
        (device + rng.random_range(1..self.devices.len())) % self.devices.len()
    }
}
