//! Our end: a rustls connection with miyu's provider over TCP on loopback.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection};

use super::tongsuo::PATIENCE;

/// A connection at our end.
pub(super) struct Line {
    pub(super) connection: Connection,
    socket: TcpStream,
}

impl Line {
    /// Dials a server on loopback.
    pub(super) fn dial(config: ClientConfig, port: u16) -> Self {
        let name = ServerName::try_from("miyu.invalid").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::new(connection.into(), TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
    }

    fn new(connection: Connection, socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { connection, socket }
    }

    /// Finishes the handshake.
    pub(super) fn handshake(&mut self) -> Result<(), Error> {
        while self.connection.is_handshaking() {
            self.connection.complete_io(&mut self.socket).map_err(tls_error)?;
        }
        // a client's last flight
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.socket).unwrap();
        }
        Ok(())
    }

    /// Goes on until one side refuses, and says why: an alert that came, or our own reason. In TLS 1.3 a client may
    /// have finished long before its key is judged, so reading goes on after the handshake.
    pub(super) fn refusal(&mut self) -> Error {
        if let Err(error) = self.handshake() {
            return error;
        }
        loop {
            match self.connection.complete_io(&mut self.socket) {
                Ok((0, 0)) => panic!("the other side hung up without a word"),
                Ok(_) => {}
                Err(error) => return tls_error(error),
            }
        }
    }

    /// Sends `bytes`, all of them.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() || self.connection.wants_write() {
            // rustls takes as much as its buffer holds
            let taken = self.connection.writer().write(rest).unwrap();
            rest = &rest[taken..];
            while self.connection.wants_write() {
                self.connection.write_tls(&mut self.socket).unwrap();
            }
        }
    }

    /// Receives as many bytes as are asked for.
    pub(super) fn receive(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.connection.reader().read(&mut bytes[filled..]) {
                Ok(0) => panic!("the other side closed after {filled} of {length} bytes"),
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.read_once();
                }
                Err(error) => panic!("after {filled} of {length} bytes: {error}"),
            }
        }
        bytes
    }

    /// Takes in what comes next, which must be no application data; returns its length on the wire.
    pub(super) fn absorb(&mut self) -> usize {
        let (length, plain) = self.read_once();
        assert_eq!(plain, 0, "application data came");
        length
    }

    /// Reads until the other side's close_notify, which must be all that comes.
    pub(super) fn read_close_notify(&mut self) {
        loop {
            match self.connection.reader().read(&mut [0]) {
                Ok(0) => return,
                Ok(_) => panic!("application data came"),
                // after close_notify rustls says Ok(0), after a bare end of the stream UnexpectedEof
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.read_once();
                }
                Err(error) => panic!("no close_notify: {error}"),
            }
        }
    }

    /// Sends our close_notify.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
        self.send(b"");
    }

    fn read_once(&mut self) -> (usize, usize) {
        let length = self.connection.read_tls(&mut self.socket).unwrap();
        let state = self.connection.process_new_packets().unwrap();
        (length, state.plaintext_bytes_to_read())
    }
}

/// A server of ours that waits for one connection.
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) port: u16,
}

impl Listening {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// Takes the connection that comes.
    pub(super) fn answer(self, config: ServerConfig) -> Line {
        let (sender, accepted) = mpsc::channel();
        std::thread::spawn(move || sender.send(self.listener.accept()));
        let (socket, _) = accepted.recv_timeout(PATIENCE).expect("nobody dials").unwrap();
        Line::new(ServerConnection::new(Arc::new(config)).unwrap().into(), socket)
    }
}

/// What TLS says about it, where it is TLS that failed.
fn tls_error(error: io::Error) -> Error {
    let text = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(error)) => *error,
        _ => panic!("the connection broke without an alert: {text}"),
    }
}
