//! AWS' published examples: the signature verifies only if the canonical request comes out to the letter.

use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{Payload, Rejection, Signer};

use crate::support::{NOW, Request, S3_KEY_ID, S3_SECRET};

/// 2013-05-24T00:00:00Z, the moment of the Amazon S3 documentation.
const S3_NOW: i64 = 1_369_353_600;

/// One request of the test suite: all are for `service` in us-east-1, from AKIDEXAMPLE.
struct Vector {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
    signed: &'static str,
    signature: &'static str,
}

impl Vector {
    const fn get(name: &'static str, target: &'static str, signature: &'static str) -> Self {
        Self { name, method: "GET", target, headers: &[], body: "", signed: "host;x-amz-date", signature }
    }

    const fn post(name: &'static str, target: &'static str, signature: &'static str) -> Self {
        Self { method: "POST", ..Self::get(name, target, signature) }
    }

    const fn with(self, headers: &'static [&'static str], signed: &'static str) -> Self {
        Self { headers, signed, ..self }
    }

    const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.method, self.target, self.headers)
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                &format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders={}, Signature={}",
                    self.signed, self.signature
                ),
            );
        request.body = self.body.as_bytes().to_vec();
        request
    }
}

const UNRESERVED: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
const TOKEN_HEADER: &str = "x-amz-security-token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

const MY_HEADER: &str = "host;my-header1;x-amz-date";
const MY_HEADERS: &str = "host;my-header1;my-header2;x-amz-date";

#[rustfmt::skip]
const SUITE: &[Vector] = &[
    Vector::get("vanilla", "/", VANILLA),
    Vector::get("slash", "//", VANILLA),
    Vector::get("slash-dot-slash", "/./", VANILLA),
    Vector::get("relative", "/example/..", VANILLA),
    Vector::get("relative-relative", "/example1/example2/../..", VANILLA),
    Vector::get("slash-pointless-dot", "/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    Vector::get("slashes", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    Vector::get("space", "/example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    Vector::get("special-character", "/example/$delete", "a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"),
    Vector::get("utf8", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    Vector::get("query-order-encoded", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    Vector::get("query-order-key", "/?Param1=value2&Param1=Value1", "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
    Vector::get("query-order-key-case", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    Vector::get("query-order-value", "/?Param1=value2&Param1=value1", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    Vector::get("empty-query-key", "/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    Vector::get("utf8-query", "/?ሴ=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    Vector::get("header-key-duplicate", "/", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")
        .with(&["My-Header1:value2", "My-Header1:value2", "My-Header1:value1"], MY_HEADER),
    Vector::get("header-value-order", "/", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01")
        .with(&["My-Header1:value4", "My-Header1:value1", "My-Header1:value3", "My-Header1:value2"], MY_HEADER),
    Vector::get("header-value-trim", "/", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736")
        .with(&["My-Header1: value1", "My-Header2: \"a   b   c\""], MY_HEADERS),
    Vector::post("post-vanilla", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    Vector::post("post-query", "/?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    Vector::post("post-header-value-case", "/", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d")
        .with(&["My-Header1:VALUE1"], MY_HEADER),
    Vector::post("post-sts-token", "/", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")
        .with(&[TOKEN_HEADER], "host;x-amz-date;x-amz-security-token"),
    Vector::post("post-form", "/", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
        .with(&["Content-Type:application/x-www-form-urlencoded"], "content-type;host;x-amz-date")
        .body("Param1=value1"),
    Vector::post("post-form-charset", "/", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe")
        .with(&["Content-Type:application/x-www-form-urlencoded; charset=utf8"], "content-type;host;x-amz-date")
        .body("Param1=value1"),
];

#[test]
fn the_published_suite_verifies() {
    for vector in SUITE {
        if let Err(rejection) = vector.request().verify("service") {
            panic!("{}: {rejection:?}", vector.name);
        }
    }
}

#[test]
fn unreserved_characters_are_left_alone() {
    let path = format!("/{UNRESERVED}");
    let query = format!("/?{UNRESERVED}={UNRESERVED}");
    for (target, signature) in [
        (path, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        (query, "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ] {
        let mut request = Vector::get("unreserved", "/", signature).request();
        let parts = Request::new("GET", &target, &[]);
        (request.path, request.query) = (parts.path, parts.query);
        request.verify("service").unwrap();
    }
}

#[test]
fn the_documented_list_users_call_verifies() {
    let request = Request::new(
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        &[
            "content-type:application/x-www-form-urlencoded; charset=utf-8",
            "host:iam.amazonaws.com",
            "x-amz-date:20150830T123600Z",
            "authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ],
    );
    let verified = request.verify("iam").unwrap();
    assert_eq!(verified.credential().access_key_id(), "AKIDEXAMPLE");
    assert_eq!(verified.credential().region(), "us-east-1");
    assert_eq!(verified.principal().account(), "123456789012");
    assert_eq!((verified.signed_at(), verified.presigned()), (NOW, false));
}

#[test]
fn the_documented_s3_calls_verify() {
    let scope =
        "authorization:AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,";
    let get = Request::new(
        "GET",
        "/test.txt",
        &[
            "host:examplebucket.s3.amazonaws.com",
            "range:bytes=0-9",
            "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "x-amz-date:20130524T000000Z",
            &format!(
                "{scope}SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
                 Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
        ],
    );
    get.verify_at("s3", S3_NOW).unwrap();
    let mut put = Request::new(
        "PUT",
        "/test$file.text",
        &[
            "host:examplebucket.s3.amazonaws.com",
            "date:Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-content-sha256:44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "x-amz-date:20130524T000000Z",
            "x-amz-storage-class:REDUCED_REDUNDANCY",
            &format!(
                "{scope}SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,\
                 Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            ),
        ],
    );
    put.body = b"Welcome to Amazon S3.".to_vec();
    put.verify_at("s3", S3_NOW).unwrap();
    put.body = b"Welcome to Amazon S4.".to_vec();
    assert_eq!(put.verify_at("s3", S3_NOW).unwrap_err(), Rejection::SignatureMismatch);
}

#[test]
fn the_documented_presigned_url_is_made_and_verifies() {
    let access_key = AccessKey::new(S3_KEY_ID, S3_SECRET);
    let signer = Signer { access_key: &access_key, region: "us-east-1", service: "s3", now: S3_NOW };
    let host = "examplebucket.s3.amazonaws.com";
    let target = signer.presign("GET", host, "/test.txt", None, 86_400, Payload::Unsigned).unwrap();
    assert_eq!(
        target,
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    let request = Request::new("GET", &target, &["host:examplebucket.s3.amazonaws.com"]);
    assert!(request.verify_at("s3", S3_NOW + 86_400).unwrap().presigned());
    assert_eq!(
        request.verify_at("s3", S3_NOW + 86_401).unwrap_err(),
        Rejection::Expired { signed_at: S3_NOW, now: S3_NOW + 86_401, window: 86_400 }
    );
}
