/// What a model's text means: thoughts, content and tool calls, also while it is still coming.
package io.kvasir.server.reply;
