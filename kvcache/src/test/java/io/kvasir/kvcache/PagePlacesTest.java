package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class PagePlacesTest {
  @Test
  void build_pagesOfManySizes_areDisjointAndLeaveLittleFree() {
    for (long seed = 0; seed < 200; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int blockBytes = 64 * (4 + random.nextInt(60));
      PagePlaces.Builder builder = new PagePlaces.Builder(blockBytes);
      int[] sizes = new int[1000];
      long total = 0;
      for (int run = 0; run < 10; run++) {
        int bytes = 64 * (1 + random.nextInt(blockBytes / 64));
        int pages = random.nextInt(20);
        int first = builder.count();
        builder.add(pages, bytes);
        for (int page = first; page < builder.count(); page++) {
          sizes[page] = bytes;
          total += bytes;
        }
      }
      PagePlaces places = builder.build();
      BitSet taken = new BitSet();
      for (int page = 0; page < builder.count(); page++) {
        assertThat(places.block(page)).isBetween(0, places.blocks() - 1);
        assertThat(places.offset(page) + sizes[page]).isLessThanOrEqualTo(blockBytes);
        for (int at = 0; at < sizes[page]; at += 64) {
          int line = (places.block(page) * blockBytes + places.offset(page) + at) / 64;
          assertThat(taken.get(line)).as("seed %d, page %d", seed, page).isFalse();
          taken.set(line);
        }
      }
      // No two blocks could have been one: first fit never leaves more than half of all free.
      assertThat((places.blocks() - 1) * (long) blockBytes)
          .as("seed %d", seed)
          .isLessThan(2 * total + 1);
    }
  }

  @Test
  void build_pagesOfOneSize_fillBlocks() {
    PagePlaces.Builder builder = new PagePlaces.Builder(1024);
    builder.add(9, 256);
    builder.add(0, 1024);
    builder.add(3, 256);
    PagePlaces places = builder.build();
    assertThat(places.blocks()).isEqualTo(3);
    assertThat(places.block(9)).isEqualTo(2);
    assertThat(places.offset(9)).isEqualTo(256);
  }

  @Test
  void add_pageLargerThanABlock_isRefused() {
    assertThatThrownBy(() -> new PagePlaces.Builder(1024).add(1, 2048))
        .hasMessageContaining("2048");
  }
}
