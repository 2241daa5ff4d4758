export { genid } from "./genid.js";
export { SsoAttrStore, type Queryable, type SsoAttrStoreOptions } from "./store.js";
