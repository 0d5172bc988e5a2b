import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { temporaryFolder } from "./opening.ts";

Deno.test("prefix stands before every untyped metric's name", () => {
  using prom = new PrometheusTinyShared({ prefix: "shop_", bucketOrder: "lexical" });
  prom.declare("orders_total", { help: "Orders.", type: "counter" });
  prom.declare("state", { enum: "is", enumValues: ["on", "off"] });
  prom.declare("size", { buckets: [1, 10] });
  for (let i = 0; i < 2; i++) { // the slow way, then the remembered one
    prom.inc("orders_total", { by: "card" });
    prom.dec("stock");
    prom.set("price", 5 + i, null, 1000);
    prom.histogramObserve("size", 3);
    prom.enumSet("state", "on");
  }
  assert.deepEqual(prom.format().split("\n"), [
    "# HELP shop_orders_total Orders.",
    "# TYPE shop_orders_total counter",
    'shop_orders_total{by="card"} 2',
    "shop_price 6 1000",
    'shop_size_bucket{le="1"} 0',
    'shop_size_bucket{le="10"} 2',
    'shop_size_bucket{le="+Inf"} 2',
    "shop_size_count 2",
    "shop_size_sum 6",
    'shop_state{is="off"} 0',
    'shop_state{is="on"} 1',
    "shop_stock -2",
    "",
  ]);
});

Deno.test("prefix stands before every typed metric's name", () => {
  using prom = new PrometheusTinyShared({ prefix: "shop_" });
  const counter = prom.counter("orders_total", { help: "Orders." });
  counter.inc();
  prom.gauge("stock").set(3);
  prom.histogram("size", { buckets: [1] }).observe(1);
  assert.equal(counter.name, "shop_orders_total");
  assert.match(
    prom.format(),
    /^# HELP shop_orders_total Orders\.\n# TYPE shop_orders_total counter\n/,
  );
  assert.match(prom.format(), /\nshop_stock 3\n/);
  assert.match(prom.format(), /\nshop_size_bucket\{le="1"\} 1\n/);
  assert.throws(() => counter.inc(-1), /counter shop_orders_total cannot be increased/);
  prom.inc("orders_total");
  assert.equal(counter.value(), 2);
});

Deno.test("a name with its prefix is the same metric as the whole name elsewhere", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using plain = new PrometheusTinyShared({ filename });
  using shop = new PrometheusTinyShared({ filename, prefix: "shop_" });
  using s = new PrometheusTinyShared({ filename, prefix: "s" });
  plain.inc("shop_orders_total");
  shop.inc("orders_total");
  s.inc("hop_orders_total");
  assert.equal(plain.format(), "shop_orders_total 3\n");
  assert.equal(shop.format(), plain.format());
  shop.declare("state", { enum: "is", enumValues: ["on", "off"] });
  plain.enumSet("shop_state", "on");
  shop.set("state", 7, { is: "off" }); // a line by itself: the enum is taken apart
  assert.match(plain.format(), /shop_state\{is="off"\} 7\nshop_state\{is="on"\} 1\n/);
  shop.enumSet("state", "off");
  assert.match(plain.format(), /shop_state\{is="off"\} 1\nshop_state\{is="on"\} 0\n/);
  shop.inc("state", { is: "on" });
  assert.match(plain.format(), /shop_state\{is="off"\} 1\nshop_state\{is="on"\} 1\n/);
});

Deno.test("the whole name must be valid, and the name in itself a text", () => {
  using prom = new PrometheusTinyShared({ prefix: "app_" });
  prom.inc("2xx_total"); // no digit comes first
  assert.equal(prom.format(), "app_2xx_total 1\n");
  for (const name of ["", undefined, null, 5, {}]) {
    for (
      const call of [
        () => prom.inc(name as string),
        () => prom.declare(name as string),
        () => prom.counter(name as string),
        () => prom.histogramObserve(name as string, 1),
      ]
    ) assert.throws(call, { name: "TypeError", message: /name must be a text that is not empty/ });
  }
  assert.throws(() => prom.inc("a-b"), /invalid metric name "app_a-b"/);
});

Deno.test("prefix of other names than Prometheus's own needs nameValidation utf8", () => {
  for (const prefix of ["1a", "a-", "a b"]) {
    assert.throws(() => new PrometheusTinyShared({ prefix }), {
      name: "TypeError",
      message: /prefix must be what a metric's name may begin with, such as "shop_", not "/,
    });
  }
  assert.throws(() => new PrometheusTinyShared({ prefix: 5 as never }), /prefix must be a string/);
  using prom = new PrometheusTinyShared({ prefix: "my.", nameValidation: "utf8" });
  prom.inc("x");
  assert.equal(prom.format(), '{"my.x"} 1\n');
});
