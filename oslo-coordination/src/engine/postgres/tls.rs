//! TLS as tokio-postgres wants it: agreed on after a question to the server.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::net::{Stream, Tls};

pub(super) struct Connector {
    /// `None` if no TLS is wanted; the connector is not used then.
    pub(super) tls: Option<Tls>,
    pub(super) host: String,
}

/// A connection, before or after TLS was agreed on.
pub(super) struct Wire(pub(super) Box<dyn Stream>);

impl TlsConnect<Wire> for Connector {
    type Stream = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn connect(self, stream: Wire) -> Self::Future {
        match self.tls {
            #[cfg(feature = "tls")]
            Some(tls) => Box::pin(async move {
                let secured = tls.connect(&self.host, stream.0).await?;
                Ok(Wire(Box::new(secured)))
            }),
            #[cfg(not(feature = "tls"))]
            Some(tls) => match tls {},
            None => {
                drop((stream, self.host));
                Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
            }
        }
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
