//! Where services differ in what they sign and accept.

/// How a service's requests are canonicalised and how long their signatures hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningRules {
    /// The path as it is on the wire is encoded once more; Amazon S3 takes it encoded once.
    pub double_encode_path: bool,
    /// Empty and dot segments leave the path; Amazon S3 keeps them, since object keys may hold them.
    pub normalize_path: bool,
    /// `UNSIGNED-PAYLOAD` may stand in for the body's hash, and does in a presigned URL that states none.
    pub unsigned_payload: bool,
    /// Header-signed requests state the body's hash in `x-amz-content-sha256`.
    pub payload_hash_required: bool,
    /// How many seconds the caller's clock may be wrong, either way.
    pub skew_seconds: i64,
}

impl SigningRules {
    /// What most services do, AWS Lambda and CloudWatch Logs among them.
    pub const COMMON: Self = Self {
        double_encode_path: true,
        normalize_path: true,
        unsigned_payload: false,
        payload_hash_required: false,
        skew_seconds: 5 * 60,
    };

    /// Amazon S3.
    pub const S3: Self = Self {
        double_encode_path: false,
        normalize_path: false,
        unsigned_payload: true,
        payload_hash_required: true,
        skew_seconds: 15 * 60,
    };

    /// AWS STS, and the other services that allow a quarter of an hour.
    pub const QUARTER_HOUR: Self = Self { skew_seconds: 15 * 60, ..Self::COMMON };

    /// The rules of the service with this signing name.
    pub fn of_service(service: &str) -> &'static Self {
        match service {
            "s3" | "s3express" | "s3-outposts" | "s3-object-lambda" => &Self::S3,
            "sts" | "iam" | "sqs" | "sns" => &Self::QUARTER_HOUR,
            _ => &Self::COMMON,
        }
    }
}

/// Which credential scopes an endpoint accepts.
///
/// An endpoint names the services it serves: a request signed for one service must not pass at another, whose
/// rules may be laxer.
#[derive(Clone, Copy, Debug)]
pub struct Accept<'a> {
    /// Signing names, such as `lambda`. The first one is named to a caller that signs for another.
    pub services: &'a [&'a str],
    /// The only region, or `None` for an endpoint that serves whichever region a request is signed for.
    pub region: Option<&'a str>,
}
