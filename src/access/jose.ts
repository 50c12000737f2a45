// The only file that names npm:jose, which knows JSON Web Tokens, their signatures and their keys. Needs no permission but
// --allow-net, and that only for keys from a URL.
export {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  importJWK,
  importSPKI,
  importX509,
  type JWK,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from "npm:jose@^6";
