//! The fields of a request: typed, with base64 for bytes.

use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use undertone::Address;

type Result<T> = std::result::Result<T, Failure>;

/// A JSON object being read.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    /// The fields of `value`, which must be an object.
    pub fn new(value: &'a Value) -> Result<Self> {
        if value.is_object() { Ok(Self(value)) } else { Err(Failure::request("not a JSON object")) }
    }

    /// A field that may be absent or null.
    pub fn optional(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &str) -> Result<&'a Value> {
        self.optional(name).ok_or_else(|| Failure::request(format!("`{name}` is missing")))
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Fields<'a>> {
        Fields::new(self.required(name)?).map_err(|_| Failure::request(format!("`{name}` is not an object")))
    }

    /// An object that may be absent or null.
    pub fn optional_object(&self, name: &str) -> Result<Option<Fields<'a>>> {
        self.optional(name).map(|_| self.object(name)).transpose()
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<&'a str> {
        self.required(name)?.as_str().ok_or_else(|| Failure::request(format!("`{name}` is not a string")))
    }

    /// A number from 0 to `u64::MAX`.
    pub fn number(&self, name: &str) -> Result<u64> {
        self.required(name)?.as_u64().ok_or_else(|| Failure::request(format!("`{name}` is not a natural number")))
    }

    /// A number that fits `u32`.
    pub fn number32(&self, name: &str) -> Result<u32> {
        u32::try_from(self.number(name)?).map_err(|_| Failure::request(format!("`{name}` is too large")))
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.required(name)?.as_bool().ok_or_else(|| Failure::request(format!("`{name}` is not true or false")))
    }

    /// Bytes in base64.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        STANDARD.decode(self.text(name)?).map_err(|_| Failure::request(format!("`{name}` is not base64")))
    }

    /// Bytes in base64 that may be absent.
    pub fn optional_bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.optional(name).map(|_| self.bytes(name)).transpose()
    }

    /// A list of objects.
    pub fn entries(&self, name: &str) -> Result<Vec<Fields<'a>>> {
        self.list(name)?.iter().map(Fields::new).collect()
    }

    /// A list of bytes in base64.
    pub fn byte_strings(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let wrong = || Failure::request(format!("`{name}` is not a list of base64"));
        let decode = |value: &Value| STANDARD.decode(value.as_str().ok_or_else(wrong)?).map_err(|_| wrong());
        self.list(name)?.iter().map(decode).collect()
    }

    /// A list of strings that may be absent or null.
    pub fn optional_texts(&self, name: &str) -> Result<Vec<&'a str>> {
        let wrong = || Failure::request(format!("`{name}` is not a list of strings"));
        let list = self.optional(name).map(|_| self.list(name)).transpose()?;
        list.into_iter().flatten().map(|value| value.as_str().ok_or_else(wrong)).collect()
    }

    fn list(&self, name: &str) -> Result<&'a Vec<Value>> {
        self.required(name)?.as_array().ok_or_else(|| Failure::request(format!("`{name}` is not a list")))
    }

    /// `name` and `device` of this very object.
    pub fn as_address(&self) -> Result<Address> {
        let device = u8::try_from(self.number("device")?).map_err(|_| Failure::request("`device` is too large"))?;
        Ok(Address::new(self.text("name")?, device)?)
    }
}

/// Bytes as the agent writes them.
pub fn base64(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(STANDARD.encode(bytes))
}
