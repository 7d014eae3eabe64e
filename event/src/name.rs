//! Names: the specification versions and the attributes every event knows.

/// Versions of the CloudEvents specification that are accepted; an event
/// leaves with the version it came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SpecVersion {
    /// 0.3: `schemaurl`, `datacontentencoding`.
    V03 = 0,
    /// 1.0: `dataschema`, `data_base64`.
    #[default]
    V1 = 1,
}

impl SpecVersion {
    /// The value of `specversion`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SpecVersion::V03 => "0.3",
            SpecVersion::V1 => "1.0",
        }
    }

    pub(crate) fn from_value(value: &[u8]) -> Option<SpecVersion> {
        [SpecVersion::V1, SpecVersion::V03].into_iter().find(|v| v.as_str().as_bytes() == value)
    }

    pub(crate) fn from_bits(bits: u8) -> Option<SpecVersion> {
        [SpecVersion::V03, SpecVersion::V1].into_iter().find(|v| *v as u8 == bits)
    }
}

/// Attributes that are found without a scan; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Known {
    SpecVersion = 0,
    Id = 1,
    Source = 2,
    Type = 3,
    Subject = 4,
    Time = 5,
    DataSchema = 6,
    DataContentType = 7,
}

impl Known {
    pub(crate) const COUNT: usize = 8;
    const ALL: [Known; Known::COUNT] = [
        Known::SpecVersion,
        Known::Id,
        Known::Source,
        Known::Type,
        Known::Subject,
        Known::Time,
        Known::DataSchema,
        Known::DataContentType,
    ];

    pub(crate) fn of(name: &[u8]) -> Option<Known> {
        Some(match name {
            b"id" => Known::Id,
            b"type" => Known::Type,
            b"time" => Known::Time,
            b"source" => Known::Source,
            b"subject" => Known::Subject,
            b"dataschema" => Known::DataSchema,
            b"specversion" => Known::SpecVersion,
            b"datacontenttype" => Known::DataContentType,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Known::SpecVersion => "specversion",
            Known::Id => "id",
            Known::Source => "source",
            Known::Type => "type",
            Known::Subject => "subject",
            Known::Time => "time",
            Known::DataSchema => "dataschema",
            Known::DataContentType => "datacontenttype",
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Known> {
        Known::ALL.get(usize::from(bits)).copied()
    }
}

/// When the event was accepted; set at every ingress pass (contract section 1.5).
pub(crate) const ARRIVAL_TIME: &str = "knativearrivaltime";
/// Passes through a broker that are left (contract section 1.5).
pub(crate) const BROKER_TTL: &str = "knativebrokerttl";
/// How `data` of a 0.3 envelope is written.
pub(crate) const CONTENT_ENCODING: &str = "datacontentencoding";

/// Is this byte allowed in an attribute name, in either case?
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}
