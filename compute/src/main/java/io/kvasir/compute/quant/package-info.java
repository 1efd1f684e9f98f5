/// Number formats of weights as files store them: block geometry and exact scalar decoding (and
/// encoding where Kvasir writes the format).
package io.kvasir.compute.quant;
