package io.kvasir.model.hub;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;

/// An HTTP proxy between this machine and the hub.
///
/// @param host name or address of the proxy
/// @param port its port
/// @param direct hosts that are reached without it: a name stands for itself and all below it, with
///   or without a leading dot; `*` stands for all
public record HubProxy(String host, int port, List<String> direct) {

  public HubProxy {
    direct = List.copyOf(direct);
    if (host.isEmpty() || port < 1 || port > 65_535) {
      throw new IllegalArgumentException("'" + host + ":" + port + "' is no address of a proxy");
    }
  }

  ProxySelector selector() {
    List<Proxy> viaProxy =
        List.of(new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(host, port)));
    return new ProxySelector() {
      @Override
      public List<Proxy> select(URI uri) {
        return isDirect(uri.getHost()) ? List.of(Proxy.NO_PROXY) : viaProxy;
      }

      @Override
      public void connectFailed(URI uri, SocketAddress address, IOException failure) {
        // The request fails with the same exception, which explains itself.
      }
    };
  }

  boolean isDirect(String target) {
    String name = target.toLowerCase(Locale.ROOT);
    for (String entry : direct) {
      String plain = entry.strip().toLowerCase(Locale.ROOT);
      if (plain.startsWith(".")) {
        plain = plain.substring(1);
      }
      boolean matches = plain.equals("*") || name.equals(plain) || name.endsWith("." + plain);
      if (!plain.isEmpty() && matches) {
        return true;
      }
    }
    return false;
  }
}
