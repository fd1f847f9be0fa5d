//! The load generator's command line: which server, which work, and the figures as text or as JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use benches::workload::{self, Options, Workload};
use benches::{Failure, Report, Secure, Target, Tree};
use clap::Parser;

/// Puts load on a mail server and measures it. Every wrong, missing or doubled answer ends the run without figures.
#[derive(Parser)]
#[command(name = "angarium-load", version)]
struct Arguments {
    /// What to do
    workload: Workload,

    /// The server's address
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,

    /// Its port for IMAP
    #[arg(long, default_value_t = 1143)]
    imap: u16,

    /// Its port for POP3
    #[arg(long, default_value_t = 1110)]
    pop3: u16,

    /// Its port for LMTP
    #[arg(long, default_value_t = 2424)]
    lmtp: u16,

    /// The ports for IMAP and POP3 want TLS from the first byte
    #[arg(long)]
    tls: bool,

    /// Keep the tickets of TLS sessions, and begin connections with them (implies --tls)
    #[arg(long)]
    resume: bool,

    /// User IDs are this and a number: u0001 to u0200 must be there
    #[arg(long, default_value = "u")]
    prefix: String,

    /// Everybody's password
    #[arg(long, default_value = "pass")]
    password: String,

    /// The domain of addresses for LMTP
    #[arg(long, default_value = "localhost")]
    domain: String,

    /// The server's process, or the master of its processes: to read CPU time and memory
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,

    /// Allow servers on other machines
    #[arg(long)]
    anywhere: bool,

    /// Connections at the same time
    #[arg(long, short)]
    connections: Option<usize>,

    /// Recipients of each delivered message
    #[arg(long, short)]
    recipients: Option<usize>,

    /// Bytes of a message [default: 70 KB on average, where it matters]
    #[arg(long)]
    size: Option<usize>,

    /// Messages, mailboxes or users to work on
    #[arg(long, value_name = "N")]
    population: Option<usize>,

    /// Seconds of load at most
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,

    /// Steps of load at most
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Seconds until the whole run, preparation included, is given up
    #[arg(long, value_name = "S", default_value_t = 180)]
    timeout: u64,

    /// Only make the mailboxes that the workload needs
    #[arg(long)]
    prepare: bool,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,

    /// A name for the server in the output
    #[arg(long, default_value = "server")]
    label: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            match serde_json::to_string(&report) {
                Ok(json) if arguments.json => println!("{json}"),
                _ => println!("{report}"),
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{}: {failure}", arguments.label);
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Option<Report>, Failure> {
    let target = Target {
        imap: SocketAddr::new(arguments.host, arguments.imap),
        tls: (arguments.tls || arguments.resume).then(|| Secure::new(arguments.resume)).transpose()?,
        pop3: SocketAddr::new(arguments.host, arguments.pop3),
        lmtp: SocketAddr::new(arguments.host, arguments.lmtp),
        prefix: arguments.prefix.clone(),
        password: arguments.password.clone(),
        domain: arguments.domain.clone(),
        processes: arguments.server_pid.map(Tree::new),
    };
    if !arguments.anywhere {
        target.check_is_here()?;
    }
    let options = Options {
        connections: arguments.connections,
        recipients: arguments.recipients,
        size: arguments.size,
        population: arguments.population,
        time: arguments.seconds.map(Duration::from_secs),
        steps: arguments.count,
        prepare: arguments.prepare,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let limit = Duration::from_secs(arguments.timeout);
        let run = Box::pin(workload::run(arguments.workload, &target, &options));
        let ended = tokio::time::timeout(limit, run).await;
        let mut report = ended.unwrap_or(Err(Failure::TooLong(arguments.timeout)))?;
        if let Some(report) = &mut report {
            report.label.clone_from(&arguments.label);
        }
        Ok(report)
    })
}
