/// Chat templates: a sandboxed, bounded Jinja engine. Message text is data and is never evaluated.
package io.kvasir.model.template;
