//! Who a request says it is from, without any proof: for a server that runs without authentication.

use http::header::AUTHORIZATION;

use super::percent::decode_query;
use super::request::RequestView;
use super::scope::is_region_name;

/// What a request claims. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The access key id, possibly made up.
    pub access_key_id: String,
    /// The region that the request was signed for.
    pub region: Option<String>,
    /// The signing name of the service that the request was signed for.
    pub service: Option<String>,
}

impl Claim {
    /// The account, when the access key id is nothing but its 12 digits.
    pub fn account(&self) -> Option<&str> {
        let id = self.access_key_id.as_str();
        (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
    }
}

/// Reads the access key id, region and service off a request, however incomplete its signature: from the
/// `Authorization` header of version 4 or 2, or else from the query of a presigned URL of either version.
pub fn claimed_credential(request: &RequestView<'_>) -> Option<Claim> {
    let header = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(from_header).or_else(|| request.query.and_then(from_query))
}

fn from_header(authorization: &str) -> Option<Claim> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    if scheme == "AWS" {
        return from_credential(rest.trim().split(':').next()?);
    }
    let credential = rest.split([',', ' ']).find_map(|part| part.strip_prefix("Credential="))?;
    from_credential(credential)
}

fn from_query(query: &str) -> Option<Claim> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let named = matches!(&*decode_query(name), "X-Amz-Credential" | "AWSAccessKeyId");
        named.then(|| from_credential(&decode_query(value))).flatten()
    })
}

/// The scope is counted from its end: an id that is made up may hold slashes.
fn from_credential(credential: &str) -> Option<Claim> {
    let mut parts = credential.rsplitn(5, '/');
    let (_, service, region, _, id) = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    let (id, region, service) = match id {
        Some(id) => (id, region, service),
        None => (credential.split('/').next()?, None, None),
    };
    (!id.is_empty()).then(|| Claim {
        access_key_id: id.to_owned(),
        region: region.filter(|region| is_region_name(region)).map(str::to_owned),
        service: service.filter(|service| !service.is_empty()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn claim(authorization: Option<&str>, query: Option<&str>) -> Option<Claim> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let request = RequestView { method: "GET", path: "/", query, authority: None, headers: &headers };
        claimed_credential(&request)
    }

    #[test]
    fn reads_header_and_query_without_proof() {
        let header =
            "AWS4-HMAC-SHA256 Credential=123456789012/20150830/eu-west-1/lambda/aws4_request, Signature=x";
        let found = claim(Some(header), None).unwrap();
        assert_eq!(found.account(), Some("123456789012"));
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        assert_eq!(found.service.as_deref(), Some("lambda"));
        let query = "a=b&X-Amz-Credential=test%2F20150830%2Fus-east-1%2Fs3%2Faws4_request";
        let found = claim(None, Some(query)).unwrap();
        assert_eq!((found.access_key_id.as_str(), found.account()), ("test", None));
        assert_eq!(found.service.as_deref(), Some("s3"));
        assert_eq!(claim(Some("AWS AKID:c2ln"), None).unwrap().access_key_id, "AKID");
        assert_eq!(claim(None, Some("AWSAccessKeyId=AKID")).unwrap().access_key_id, "AKID");
        assert_eq!(claim(Some("AWS4-HMAC-SHA256 Credential=test"), None).unwrap().region, None);
    }

    #[test]
    fn no_credentials_are_no_claim() {
        for header in [None, Some("Bearer x"), Some(""), Some("AWS4-HMAC-SHA256 Credential="), Some("AWS :")]
        {
            assert_eq!(claim(header, Some("x=y&flag")), None, "{header:?}");
        }
    }

    #[test]
    fn a_region_that_cannot_be_one_is_dropped() {
        let header = "AWS4-HMAC-SHA256 Credential=AK/ID/20150830/../lambda/aws4_request";
        let found = claim(Some(header), None).unwrap();
        assert_eq!(found.access_key_id, "AK/ID");
        assert_eq!(found.region, None);
    }
}
