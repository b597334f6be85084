// Send events by Segment's own SDK until standard input ends: NODE_MODULES HOST KEY. Prints how
// many, and how many failed.
import {createRequire} from "node:module"
import {pathToFileURL} from "node:url"

const [modules, host, writeKey] = process.argv.slice(2)
const require = createRequire(pathToFileURL(modules + "/x.js"))
const {Analytics} = require("@segment/analytics-node")
const analytics = new Analytics({writeKey, host, flushAt: 20, flushInterval: 50})
let count = 0, failed = 0, ended = false
analytics.on("error", () => failed++)
process.stdin.resume()
process.stdin.on("end", () => { ended = true })
while (!ended) {
  for (let n = 0; n < 20; n++) {
    analytics.track({userId: `user ${count % 7}`, event: "order paid", properties: {count}, messageId: `node ${count}`})
    count++
  }
  await new Promise(go => setTimeout(go, 50))
}
analytics.identify({userId: "user 0", traits: {plan: "free"}, messageId: "node identify"})
analytics.page({anonymousId: "someone", name: "home", messageId: "node page"})
await analytics.closeAndFlush({timeout: 60_000})
console.log(JSON.stringify({count, failed}))
