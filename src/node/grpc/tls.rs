//! Trust in a node's certificate: the very one in the operator's file, or one that it signed.
//!
//! lnd makes its own certificate and marks it as a CA. The rules of the web refuse such a one as a server's, so the
//! file's certificate is pinned byte by byte; its names and dates do not matter then, its key does.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Accepts a server that holds the key of a pinned certificate, or whose chain ends in one.
#[derive(Debug)]
pub(in crate::node) struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    /// None when no pinned certificate can sign others.
    chains: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    /// Pins the certificates of a PEM file's content; the text says what is wrong with it.
    pub(in crate::node) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let certificates = certificates(pem)?;
        let provider = Arc::new(ring::default_provider());
        let chains = WebPkiServerVerifier::builder_with_provider(roots(&certificates), provider.clone())
            .build()
            .ok();
        Ok(Self {
            certificates,
            chains,
            provider,
        })
    }

    /// Whether the server, which trusts the same authority, will take this certificate of ours; the text says why not.
    /// It would only hang up, and what is read of that is a broken connection.
    pub(in crate::node) fn check_client(&self, pem: &[u8]) -> Result<(), String> {
        let chain = certificates(pem)?;
        let (own, intermediates) = chain.split_first().expect("there is at least one");
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(&self.certificates), self.provider.clone());
        let verifier = verifier.build().map_err(|e| e.to_string())?;
        let verified = verifier.verify_client_cert(own, intermediates, UnixTime::now());
        verified
            .map(|_| ())
            .map_err(|e| format!("is not signed by the configured authority ({e})"))
    }
}

/// At least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("not a PEM file: {e}"))?;
    if certificates.is_empty() {
        return Err("holds no certificate".into());
    }
    Ok(certificates)
}

fn roots(certificates: &[CertificateDer<'static>]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    Arc::new(roots)
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let signed = self
            .chains
            .as_ref()
            .map(|chains| chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now));
        match signed {
            Some(Ok(verified)) => Ok(verified),
            Some(Err(e)) => Err(Error::General(format!(
                "its certificate is not the configured one, nor signed by it ({e})"
            ))),
            None => Err(Error::General("its certificate is not the configured one".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    /// As lnd makes its own: an authority that serves by itself.
    fn authority() -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    }

    fn verify(pinned: &Pinned, certificate: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
        let name = ServerName::try_from(name.to_string()).unwrap();
        pinned
            .verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
            .map(|_| ())
    }

    #[test]
    fn the_configured_certificate_is_trusted_under_any_name_and_another_is_not() {
        let ((params, key), (other_params, other_key)) = (authority(), authority());
        let own = params.self_signed(&key).unwrap();
        let other = other_params.self_signed(&other_key).unwrap();
        let pinned = Pinned::from_pem(own.pem().as_bytes()).unwrap();
        assert_eq!(verify(&pinned, own.der(), "elsewhere"), Ok(()));
        let refused = verify(&pinned, other.der(), "localhost").unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("its certificate is not the configured one"),
            "{refused}"
        );
    }

    #[test]
    fn a_certificate_signed_by_the_configured_authority_is_trusted_under_its_name() {
        let (params, key) = authority();
        let authority = params.self_signed(&key).unwrap();
        let (leaf_key, leaf) = (
            KeyPair::generate().unwrap(),
            CertificateParams::new(vec!["node".into()]).unwrap(),
        );
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).unwrap();
        let pinned = Pinned::from_pem(authority.pem().as_bytes()).unwrap();
        assert_eq!(verify(&pinned, leaf.der(), "node"), Ok(()));
        assert!(verify(&pinned, leaf.der(), "elsewhere").is_err());
    }

    #[test]
    fn a_client_s_certificate_of_another_authority_is_told_before_it_is_shown() {
        let ((params, key), (other_params, other_key)) = (authority(), authority());
        let pinned = Pinned::from_pem(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap();
        let client = |params, key| {
            let own = CertificateParams::new(vec!["client".into()]).unwrap();
            let signed = own.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key));
            signed.unwrap().pem()
        };
        assert_eq!(pinned.check_client(client(params, key).as_bytes()), Ok(()));
        let refused = pinned.check_client(client(other_params, other_key).as_bytes());
        assert!(
            refused
                .unwrap_err()
                .starts_with("is not signed by the configured authority")
        );
    }

    #[test]
    fn a_file_without_certificate_is_refused() {
        assert_eq!(Pinned::from_pem(b"nothing").unwrap_err(), "holds no certificate");
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(Pinned::from_pem(broken).unwrap_err().starts_with("not a PEM file"));
    }
}
