// Sends with @segment/analytics-node as a program of its own: the test reads what it says at the end.
//   node send.js KEY HOST COUNT MILLISECONDS_BETWEEN SETTINGS
const { Analytics } = require("@segment/analytics-node");

const [key, host, count, between, settings] = process.argv.slice(2);
const analytics = new Analytics({ writeKey: key, host, ...JSON.parse(settings) });
const errors = [];
analytics.on("error", (error) => errors.push(`${error.code}: ${error.reason}`));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let delivered = 0;
const told = (failed) => {
  delivered += failed ? 0 : 1;
};

(async () => {
  for (let n = 0; n < Number(count); n += 1) {
    analytics.track({ userId: `u${n % 9}`, event: "Product Viewed", properties: { n, price: 12.5 } }, told);
    if (Number(between)) await pause(Number(between));
  }
  analytics.identify({ userId: "u1", traits: { name: "Ada Ünsal", email: "ada@b.biz" } }, told);
  analytics.alias({ userId: "u1", previousId: "a1" }, told);
  analytics.group({ userId: "u1", groupId: "g1", traits: { name: "Initech" } }, told);
  analytics.page({ userId: "u1", category: "Docs", name: "Home", properties: { path: "/" } }, told);
  analytics.screen({ anonymousId: "a1", name: "Main" }, told);
  await analytics.closeAndFlush({ timeout: 120000 });
  console.log(JSON.stringify({ errors, delivered }));
})();
