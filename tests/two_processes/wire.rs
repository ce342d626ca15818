//! The server in memory, for processes: over a socket, one call after the other, in the frames of the WebSocket transport.

use core::time::Duration;
use futures_executor::block_on;
use futures_util::FutureExt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use undertone::Address;
use undertone::Error;
use undertone::runtime::{Clock, SystemClock, async_trait};
use undertone::transport::protocol::{Answer, Call};
use undertone::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, MemoryTransport, Outbound, PrekeyStock, Publication, Transport,
    TransportFault, Verdict, Witness,
};

/// What stands before a frame.
const CALL: u8 = 0;
const RECEIVE: u8 = 1;
/// A text that was confirmed, answered with whether it is time to end.
const TOLD: u8 = 2;
/// How many commits were refused since another process came first.
const CONFLICTS: u8 = 3;

/// How long a process waits before it asks again for mail.
const PAUSE: Duration = Duration::from_millis(5);

fn write(mut stream: &TcpStream, kind: u8, frame: &[u8]) {
    let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).unwrap();
}

/// `None` at the end.
fn read(mut stream: &TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(*head.first_chunk().unwrap()) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some((head[4], frame))
}

/// The process's end.
#[derive(Clone)]
pub struct Socket(Arc<Mutex<TcpStream>>);

impl Socket {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Tells the parent of a text; true once it is time to end.
    pub fn told(&self, text: &str) -> bool {
        self.ask(TOLD, text.as_bytes()) == [1]
    }

    pub fn conflicts(&self, count: u64) {
        self.ask(CONFLICTS, &count.to_be_bytes());
    }

    fn ask(&self, kind: u8, frame: &[u8]) -> Vec<u8> {
        let stream = self.0.lock().unwrap();
        write(&stream, kind, frame);
        read(&stream).unwrap().1
    }

    fn call(&self, call: &Call) -> Result<Answer, Error> {
        match Answer::decode(&self.ask(CALL, &call.encode(1)))?.1 {
            Answer::Failed(fault) => Err(fault.into()),
            answer => Ok(answer),
        }
    }
}

/// Takes the answer of one kind.
macro_rules! expect {
    ($answer:expr, $kind:path) => {
        match $answer? {
            $kind(value) => Ok(value),
            _ => Err(TransportFault::Malformed.into()),
        }
    };
}

#[async_trait]
impl Transport for Socket {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<(), Error> {
        let sign_in = |signature| Call::SignIn { device: login.address().clone(), signature };
        let Answer::Challenge(challenge) = self.call(&sign_in([0; 64]))? else { panic!("no challenge") };
        self.call(&sign_in(login.sign(&challenge)?)).map(|_| ())
    }
    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock, Error> {
        expect!(self.call(&Call::Publish(publication.clone())), Answer::Stock)
    }
    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>, Error> {
        expect!(self.call(&Call::DeviceList { account: account.to_owned(), after }), Answer::Statements)
    }
    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let call = Call::Fetch { account: account.to_owned(), devices: devices.to_vec() };
        expect!(self.call(&call), Answer::Bundles)
    }
    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>, Error> {
        expect!(self.call(&Call::Send(envelopes.to_vec())), Answer::Verdicts)
    }
    async fn receive(&self) -> Result<Vec<Delivery>, Error> {
        loop {
            let Answer::Deliveries(deliveries) = Answer::decode(&self.ask(RECEIVE, &[]))?.1 else {
                return Err(TransportFault::Malformed.into());
            };
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            SystemClock.sleep(PAUSE).await;
        }
    }
    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<(), Error> {
        self.call(&Call::Acknowledge(ids.to_vec())).map(|_| ())
    }
    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>, Error> {
        expect!(self.call(&Call::Witness(*mine)), Answer::Witness)
    }
    async fn leave(&self, _: &MeetingPlace, _: u8, _: &[u8]) -> Result<(), Error> {
        Err(TransportFault::Refused.into())
    }
    async fn collect(&self, _: &MeetingPlace, _: u8) -> Result<Vec<u8>, Error> {
        Err(TransportFault::Refused.into())
    }
    async fn close(&self) {}
}

/// What a process says beside its calls.
pub enum Word {
    Told(String),
    Conflicts(u64),
}

/// The parent's end: answers until the process has gone.
pub fn serve(stream: TcpStream, transport: MemoryTransport, mut hear: impl FnMut(Word) -> bool) {
    stream.set_nodelay(true).unwrap();
    while let Some((kind, frame)) = read(&stream) {
        let answer = match kind {
            CALL => answer(&stream, &transport, &frame).encode(1),
            RECEIVE => {
                let deliveries = transport.receive().now_or_never().unwrap_or(Ok(Vec::new())).unwrap();
                Answer::Deliveries(deliveries).encode(0)
            }
            TOLD => vec![u8::from(hear(Word::Told(String::from_utf8(frame).unwrap())))],
            _ => vec![u8::from(hear(Word::Conflicts(u64::from_be_bytes(frame.try_into().unwrap()))))],
        };
        write(&stream, kind, &answer);
    }
}

fn answer(stream: &TcpStream, transport: &MemoryTransport, frame: &[u8]) -> Answer {
    let answer = block_on(async {
        Ok::<_, Error>(match Call::decode(frame)?.1 {
            Call::SignIn { device, .. } => {
                let login = Asks { device, stream: stream.try_clone().unwrap() };
                transport.attach(Arc::new(login)).await.map(|()| Answer::Done)?
            }
            Call::Publish(publication) => Answer::Stock(transport.publish(&publication).await?),
            Call::DeviceList { account, after } => Answer::Statements(transport.device_list(&account, after).await?),
            Call::Fetch { account, devices } => Answer::Bundles(transport.fetch(&account, &devices).await?),
            Call::Send(envelopes) => Answer::Verdicts(transport.send(&envelopes).await?),
            Call::Acknowledge(ids) => transport.acknowledge(&ids).await.map(|()| Answer::Done)?,
            Call::Witness(mine) => Answer::Witness(transport.witness(&mine).await?),
            Call::Leave { .. } | Call::Collect { .. } => return Err(TransportFault::Refused.into()),
        })
    });
    answer.unwrap_or_else(|error| {
        Answer::Failed(match error.code() {
            "transport.unknown_account" => TransportFault::UnknownAccount,
            "transport.unauthorized" => TransportFault::Unauthorized,
            _ => TransportFault::Refused,
        })
    })
}

/// Has the process sign.
struct Asks {
    device: Address,
    stream: TcpStream,
}

impl Login for Asks {
    fn address(&self) -> &Address {
        &self.device
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64], Error> {
        write(&self.stream, CALL, &Answer::Challenge(*challenge).encode(1));
        match Call::decode(&read(&self.stream).unwrap().1)?.1 {
            Call::SignIn { signature, .. } => Ok(signature),
            _ => Err(TransportFault::Unauthorized.into()),
        }
    }
}
