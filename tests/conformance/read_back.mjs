// What the vendor's own client sees: the fields of deals, and every open deal with all it holds.
// Arguments: the folder node_modules, the address of the API. The token comes from the environment.

import { createRequire } from "node:module";

const [modules, basePath] = process.argv.slice(2);
const { Configuration, DealsApi, DealFieldsApi } = createRequire(`${modules}/`)("pipedrive/v2");
const configuration = new Configuration({ apiKey: process.env.PIPEDRIVE_API_TOKEN, basePath });

async function everything(page) {
  const rows = [];
  let cursor;
  do {
    const answer = await page({ limit: 100, cursor });
    rows.push(...answer.data);
    cursor = answer.additional_data.next_cursor;
  } while (cursor);
  return rows;
}

const dealsApi = new DealsApi(configuration);
const fieldsApi = new DealFieldsApi(configuration);
const fields = await everything((how) => fieldsApi.getDealFields(how));
const deals = await everything((how) => dealsApi.getDeals({ status: "open", ...how }));
process.stdout.write(JSON.stringify({ fields, deals }));
