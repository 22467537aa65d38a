/** What the adapters of the Kubernetes API log with: the process log, seen from here. */
export interface KubeLog {
  info: (fields: object, text: string) => void
  warn: (fields: object, text: string) => void
  error: (fields: object, text: string) => void
}
