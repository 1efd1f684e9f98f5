/// The load generator behind `kvasir bench serve`: it sends requests to any server that speaks
/// OpenAI's completions, takes the time of each token as it leaves the socket, and reports.
///
/// It decides when requests leave, what they hold and what is measured. It knows neither an engine
/// nor a server of this project: all it sees is a URL. It lives in the command line's module and
/// not in `bench`, because a fresh clone builds only what the command line needs.
package io.kvasir.cli.load;
