/// What a model file says: its configuration, its weights by role, and the one data-driven
/// transformer that runs them. A dense architecture is data here, never a class.
package io.kvasir.model;
