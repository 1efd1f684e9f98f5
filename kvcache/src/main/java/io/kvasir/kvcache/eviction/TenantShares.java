package io.kvasir.kvcache.eviction;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Gives each tenant an order of its own and takes room from the tenant that has most nodes, idle
/// or in use, for its weight: so a flood of new prompts of one tenant pushes out what that tenant
/// has cached, and others keep theirs as long as they have less than it (max-min fairness). One
/// tenant alone has all the room and exactly the policy below.
///
/// Tenants beyond the first [#MOST_TENANTS] share one order.
public final class TenantShares implements EvictionPolicy {
  /// Most tenants with an order of their own.
  public static final int MOST_TENANTS = 64;

  private final PrefixView tree;
  private final Factory below;
  private final UnaryOperator<String> tenantOf;
  private final Map<String, Double> weights;
  private final Map<String, Integer> numbers = new HashMap<>();
  private final List<EvictionPolicy> policies = new ArrayList<>();
  private final double[] weight = new double[MOST_TENANTS + 1];
  private final int[] nodes = new int[MOST_TENANTS + 1];
  private final int[] idle = new int[MOST_TENANTS + 1];
  private byte[] tenant = new byte[64];

  private TenantShares(
      PrefixView tree, Factory below, UnaryOperator<String> tenantOf, Map<String, Double> weights) {
    this.tree = tree;
    this.below = below;
    this.tenantOf = tenantOf;
    this.weights = Map.copyOf(weights);
  }

  /// A policy that shares room among tenants and orders each one's nodes by another policy.
  ///
  /// @param tenantOf the tenant of a salt
  /// @param weights of tenants by name; 1 for others
  public static Factory of(
      Factory below, UnaryOperator<String> tenantOf, Map<String, Double> weights) {
    return tree -> new TenantShares(tree, below, tenantOf, weights);
  }

  @Override
  public void onInsert(int node) {
    if (node >= tenant.length) {
      tenant = Arrays.copyOf(tenant, Math.max(node + 1, 2 * tenant.length));
    }
    int parent = tree.parent(node);
    int number = parent >= 0 ? tenant[parent] : number(tenantOf.apply(tree.salt(node)));
    tenant[node] = (byte) number;
    nodes[number]++;
    policies.get(number).onInsert(node);
  }

  private int number(String name) {
    Integer known = numbers.get(name);
    if (known != null) {
      return known;
    }
    if (policies.size() > MOST_TENANTS) {
      return MOST_TENANTS;
    }
    int number = policies.size();
    policies.add(below.create(tree));
    // The last order is nobody's own.
    weight[number] = number == MOST_TENANTS ? 1 : weights.getOrDefault(name, 1.0);
    if (number < MOST_TENANTS) {
      numbers.put(name, number);
    }
    return number;
  }

  @Override
  public void onHit(int node) {
    policies.get(tenant[node]).onHit(node);
  }

  @Override
  public void onAcquire(int node) {
    idle[tenant[node]]--;
    policies.get(tenant[node]).onAcquire(node);
  }

  @Override
  public void onRelease(int node) {
    idle[tenant[node]]++;
    policies.get(tenant[node]).onRelease(node);
  }

  @Override
  public void onRemove(int node) {
    int number = tenant[node];
    nodes[number]--;
    idle[number] -= tree.isIdle(node) ? 1 : 0;
    policies.get(number).onRemove(node);
  }

  @Override
  public int victim() {
    int richest = NONE;
    for (int i = 0; i < policies.size(); i++) {
      boolean richer = richest == NONE || nodes[i] / weight[i] > nodes[richest] / weight[richest];
      richest = idle[i] > 0 && richer ? i : richest;
    }
    return richest == NONE ? NONE : policies.get(richest).victim();
  }
}
