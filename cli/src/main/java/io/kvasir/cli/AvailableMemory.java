package io.kvasir.cli;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How much memory a new program could take on this machine.
final class AvailableMemory {
  private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d{1,15}) kB");

  private AvailableMemory() {}

  /// Bytes that are free or can be freed at once, within the limit of the container.
  static long bytes() {
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    try {
      Matcher matcher = AVAILABLE.matcher(Files.readString(Path.of("/proc/meminfo")));
      if (matcher.find()) {
        return Math.min(system.getTotalMemorySize(), 1024 * Long.parseLong(matcher.group(1)));
      }
    } catch (IOException e) {
      return system.getFreeMemorySize(); // Only Linux has this file.
    }
    return system.getFreeMemorySize();
  }
}
