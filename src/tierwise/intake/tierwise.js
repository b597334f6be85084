// What people do on a page, sent to a tierwise intake.
//
//   <script async src="https://collect.example/t/v1/tierwise.js" data-key="tww_..."></script>
//
//   tierwise.track("order paid", {amount_eur: 12.5})   tierwise.page()
//   tierwise.identify("17", {plan: "free"})            tierwise.reset()
//   tierwise.consent(true)                             tierwise.flush()
//
// Before the script is there: (window.tierwise = window.tierwise || []).push(["track", "..."])
// data-consent="ask": nothing is kept or sent before consent(true).
// data-page="no": no page view by itself.
//
// Each event has a place of its own in localStorage until the intake has said that it is durable.
// So a reload, a closed tab or hours without a network lose nothing, and tabs can't overwrite each
// other. What is sent twice has the same event_id twice, and the intake keeps one.
((w, d, n) => {
  const {key, consent, page} = d.currentScript.dataset,
    url = new URL("/v1/events", d.currentScript.src),
    early = w.tierwise || [],
    now = () => new Date().toISOString(),
    // Do Not Track or Global Privacy Control: nothing is kept or sent, whatever the page asks for.
    never = n.globalPrivacyControl || n.doNotTrack == 1
  if (early.track) return
  let store = {}, held = [], wait = 1e3, busy, timer
  // Where localStorage is forbidden or full, the memory of this page does.
  try { store = localStorage } catch {}
  const put = (k, v) => { try { store[k] = v } catch { (store = {...store})[k] = v } },
    del = k => delete store[k],
    keys = start => Object.keys(store).filter(k => k.startsWith(start)).sort(),
    uid = () => [...crypto.getRandomValues(new Uint8Array(16))]
      .map(b => (b + 256).toString(16).slice(1)).join(""),
    refused = () => never || store["tw.consent"] == 0,
    // Does it, holds it until consent, or forgets it.
    allowed = f => refused() || (consent && !store["tw.consent"] ? held.push(f) : f()),

    // A query may hold anything: of it only the campaign is told.
    context = () => {
      const c = {page: location.pathname, locale: n.language, library: "tierwise.js"},
        from = d.referrer && new URL(d.referrer).host
      if (from != location.host) c.referrer = from
      for (const [k, v] of new URLSearchParams(location.search)) if (/^utm_/.test(k)) c[k] = v
      return c
    },

    session = () => {
      let [id, last] = (store["tw.session"] || "").split("."), at = Date.now()
      if (!(at - last < 18e5)) id = uid()
      put("tw.session", id + "." + at)
      return id
    },

    keep = e => {
      if (!store["tw.id"]) put("tw.id", uid())
      e.anonymous_id = store["tw.id"]
      e.person_id = store["tw.person"]
      e.context.session = session()
      const text = JSON.stringify(e), waiting = keys("tw:")
      if (text.length > 8e3) return console.warn("tierwise: too large", e.name)
      if (waiting[999]) del(waiting[0])
      put("tw:" + Date.now().toString(36) + e.event_id, text)
      later()
    },

    track = (name, properties, kind) => {
      const e = {event_id: uid(), name, kind, properties, occurred_at: now(), context: context()}
      allowed(() => keep(e))
    },

    later = () => { timer = timer || setTimeout(flush, wait) },

    send = leaving => {
      let body = "", sent = []
      for (const k of keys("tw:").slice(0, 50)) {
        if (body.length > 1e4) break
        sent.push(k)
        body += (body && ",") + store[k]
      }
      if (!body) return
      body = `{"writeKey":"${key}","sent_at":"${now()}","events":[${body}]}`
      if (leaving && !("keepalive" in Request.prototype)) return n.sendBeacon(url, body)
      return fetch(url, {method: "POST", body, keepalive: true, credentials: "omit"}).then(r => {
        if (!r.ok) throw r
        sent.map(del)
        wait = 1e3
        keys("tw:")[0] && later()
      }).catch(() => {
        wait = Math.min(wait * 2, 3e5)
        later()
      })
    },

    // One tab sends at a time; one that is left can't wait for its turn.
    flush = async leaving => {
      timer = clearTimeout(timer)
      if (refused() || busy && leaving != 1) return
      busy = 1
      await (leaving == 1 || !n.locks ? send(leaving)
        : n.locks.request("tw", {ifAvailable: true}, l => l ? send() : later()))
      busy = 0
    },

    api = {
      track: (name, properties) => track(name, properties),
      page: properties => track("page", properties, "page"),
      identify: (person, traits) => {
        allowed(() => put("tw.person", person))
        track("identify", traits, "identify")
      },
      reset: () => ["tw.person", "tw.id", "tw.session"].map(del),
      consent: yes => {
        if (never) return
        yes || [...keys("tw:"), ...keys("tw.")].map(del)
        put("tw.consent", yes ? 1 : 0)
        held.splice(0).map(allowed)
      },
      flush,
      push: ([name, ...rest]) => api[name](...rest)
    }
  w.tierwise = api
  page || api.page()
  early.map(api.push)
  later()
  w.addEventListener("online", flush)
  w.addEventListener("pagehide", () => flush(1))
  d.addEventListener("visibilitychange", () => d.hidden && flush(1))
})(window, document, navigator)
