package io.kvasir.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Reads a whole number of at least 1.
final class PositiveInt implements ITypeConverter<Integer> {
  @Override
  public Integer convert(String value) {
    int number;
    try {
      number = Integer.parseInt(value.strip());
    } catch (NumberFormatException e) {
      throw refuse(value);
    }
    if (number < 1) {
      throw refuse(value);
    }
    return number;
  }

  private static TypeConversionException refuse(String value) {
    return new TypeConversionException(
        "a whole number of at least 1 is wanted, not '" + value + "'");
  }
}
