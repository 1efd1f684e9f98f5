/// The command line. The only place that assembles modules and touches properties, environment,
/// standard output and exit codes.
package io.kvasir.cli;
