package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class QueuePlacesTest {
  private static void take(QueuePlaces places, String tenant, int count) {
    for (int i = 0; i < count; i++) {
      places.take(tenant, 0);
    }
  }

  @Test
  void take_oneTenantHasAll_othersStillGetAFew() {
    QueuePlaces places = new QueuePlaces(16);
    take(places, "flood", 16);
    assertThatThrownBy(() -> places.take("flood", 7))
        .isInstanceOfSatisfying(
            QueueFullException.class, e -> assertThat(e.retryAfterSeconds()).isEqualTo(7))
        .hasMessageContaining("16 requests are waiting");

    take(places, "other", 2);
    assertThatThrownBy(() -> places.take("other", 0)).hasMessageContaining("16 requests");
    places.take("third", 0);
    assertThat(places.total()).isEqualTo(19);
  }

  @Test
  void take_manyTenants_endsAtTwiceThePlaces() {
    QueuePlaces places = new QueuePlaces(4);
    for (int i = 0; i < 8; i++) {
      places.take("tenant" + i, 0);
    }
    assertThatThrownBy(() -> places.take("one more", 0)).isInstanceOf(QueueFullException.class);
  }

  @Test
  void give_makesRoomForTheTenantThatFilledTheQueue() {
    QueuePlaces places = new QueuePlaces(2);
    take(places, "flood", 2);
    assertThatThrownBy(() -> places.take("flood", 0)).isInstanceOf(QueueFullException.class);
    places.give("flood");
    places.take("flood", 0);
    places.give("flood");
    places.give("flood");
    assertThat(places.total()).isZero();
    take(places, "flood", 2);
  }
}
