//! miyu's TLS 1.3 over TCP, typed by hand: `tls_line OUR-KEY-FILE sm2:THEIR-KEY HOST:PORT`.
//!
//! miyu itself speaks over QUIC alone. This dials any TLS server that has TLS_SM4_GCM_SM3 and raw public keys, sends
//! what is typed and shows what comes; docs/architecture.md has the commands for Tongsuo's `s_server`.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use miyu::identity::{file, parse_key_line};
use miyu::tls;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [key_file, key_line, address] = &words[..] else {
        bail!("usage: tls_line OUR-KEY-FILE sm2:THEIR-KEY HOST:PORT");
    };
    let ours = file::load(Path::new(key_file), &mut |_| Ok(None))?;
    let config = tls::client_config(&ours, &parse_key_line(key_line)?)?;
    let mut socket = TcpStream::connect(address).with_context(|| format!("no connection to {address}"))?;
    // No SNI is sent: the name is for rustls alone.
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("miyu.invalid")?)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    eprintln!("{} with {}; type lines, end with Ctrl-D", tls::CIPHER_SUITE_NAME, tls::GROUP_NAME);

    let connection = Arc::new(Mutex::new(connection));
    let typed = (Arc::clone(&connection), socket.try_clone()?);
    std::thread::spawn(move || send_lines(&typed.0, typed.1));
    show_what_comes(&connection, socket)
}

fn send_lines(connection: &Mutex<ClientConnection>, mut socket: TcpStream) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let mut connection = lock(connection);
        connection.writer().write_all(format!("{}\n", line?).as_bytes())?;
        flush(&mut connection, &mut socket)?;
    }
    let mut connection = lock(connection);
    connection.send_close_notify();
    flush(&mut connection, &mut socket)
}

fn show_what_comes(connection: &Mutex<ClientConnection>, mut socket: TcpStream) -> Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        // Read without the lock, so that lines go out meanwhile.
        let length = socket.read(&mut bytes)?;
        let mut rest = &bytes[..length];
        let mut connection = lock(connection);
        loop {
            connection.read_tls(&mut rest)?;
            let state = connection.process_new_packets();
            flush(&mut connection, &mut socket)?;
            let mut plain = vec![0; state?.plaintext_bytes_to_read()];
            connection.reader().read_exact(&mut plain)?;
            io::stdout().write_all(&plain)?;
            if rest.is_empty() {
                break;
            }
        }
        io::stdout().flush()?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn flush(connection: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(socket)?;
    }
    Ok(())
}

fn lock(connection: &Mutex<ClientConnection>) -> MutexGuard<'_, ClientConnection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
