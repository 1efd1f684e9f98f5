/// What an answer must look like, as constraints on its tokens: JSON, patterns, tool calls.
package io.kvasir.server.shape;
