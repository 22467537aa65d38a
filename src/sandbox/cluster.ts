/**
 * A Kubernetes API to try rules with: in memory, or a real etcd and kube-apiserver.
 * The sandbox shows it to people; the cluster tests run the same suite against both kinds.
 */
export interface Cluster {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string
  /** PEM of the CA that signed the API's serving certificate. */
  readonly caCertificate: string
  /** Bearer token of a cluster administrator; made for this run, for a loopback address only. */
  readonly token: string
  /** Ends what was started and frees its ports and files. */
  close: () => Promise<void>
}

/** What every kind of cluster can be asked for at its start. */
export interface ClusterOptions {
  /** Where the API server appends its audit log, one `audit.k8s.io/v1` Event a line; absent = no log. */
  auditLog?: string
  /** Level of the audited requests. */
  auditLevel?: 'Metadata' | 'RequestResponse'
}
