/** PEM texts. With an authority, clients must have a certificate of it. */
export interface Tls {
  key: string;
  cert: string;
  ca?: string | undefined;
}
