// The one file that names npm:rxjs. Everything in Brook, and everybody who extends it, uses this copy:
// two copies run side by side, but their types do not fit each other.
export * from "npm:rxjs@^7.8.2";
