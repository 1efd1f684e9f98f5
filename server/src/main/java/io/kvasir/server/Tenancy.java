package io.kvasir.server;

import io.kvasir.engine.Terms;

/// What keeps tenants' prefixes apart.
final class Tenancy {
  private Tenancy() {}

  /// The salt of a tenant's prefixes where its request names none.
  static String salt(String tenant) {
    return Terms.saltOf(tenant);
  }

  /// Whether the tenant may read the text of prefixes of that salt.
  static boolean maySee(String tenant, String salt) {
    return salt.startsWith(salt(tenant));
  }
}
