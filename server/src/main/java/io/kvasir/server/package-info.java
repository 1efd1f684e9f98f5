/// An HTTP server that speaks the OpenAI API: [KvasirServer] over a [ServedModel].
package io.kvasir.server;
