import { join, resolve } from 'node:path'
import type { ControlPlaneFiles } from './program-files.ts'

/*
 * Only flags that Kubernetes 1.20 to 1.36 and etcd 3.4 to 3.6 all know stand here, except where a version is asked for.
 */

/** The command line of etcd; `name` is its member name, by which one finds that one talks to the right etcd. */
export function listEtcdArguments (directory: string, name: string, clientUrl: string): string[] {
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--name=${name}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    // It has no peers. 0 lets the kernel choose, and what is advertised to nobody may stay the default.
    '--listen-peer-urls=http://127.0.0.1:0',
    // The data is thrown away with the directory, so that it need not survive a power cut.
    '--unsafe-no-fsync'
  ]
}

/** What the command line of the API server depends on. */
export interface ApiServerSettings {
  files: ControlPlaneFiles
  etcdUrl: string
  port: number
  auditLog: string | undefined
}

/** The command line of kube-apiserver: loopback only, RBAC, and its audit log where one is wanted. */
export function listApiServerArguments ({ files, etcdUrl, port, auditLog }: ApiServerSettings): string[] {
  const issuer = 'https://kubernetes.default.svc'
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${files.certificateFile}`,
    `--tls-private-key-file=${files.privateKeyFile}`,
    `--client-ca-file=${files.caFile}`,
    `--token-auth-file=${files.tokensFile}`,
    '--authorization-mode=RBAC',
    `--service-account-issuer=${issuer}`,
    `--api-audiences=${issuer}`,
    `--service-account-key-file=${files.serviceAccountPublicKeyFile}`,
    `--service-account-signing-key-file=${files.serviceAccountPrivateKeyFile}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    // Nobody reaches the API server by the Service `kubernetes` here, and a leased endpoint delays its shutdown.
    '--endpoint-reconciler-type=none',
    ...(auditLog === undefined ? [] : [`--audit-log-path=${resolve(auditLog)}`, `--audit-policy-file=${files.auditPolicyFile}`])
  ]
}

const FIRST_MINOR_WITHOUT_INSECURE_PORT = 24

/** The command line of kube-controller-manager; it serves nothing, so that several run on one machine. */
export function listControllerManagerArguments (files: ControlPlaneFiles, minorVersion: number): string[] {
  return [
    `--kubeconfig=${files.controllerManagerKubeconfig}`,
    `--service-account-private-key-file=${files.serviceAccountPrivateKeyFile}`,
    `--root-ca-file=${files.caFile}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    '--secure-port=0',
    // Until 1.23 it also listened on 10252 of every address, where a second one would fail; the flag went with 1.24.
    ...(minorVersion < FIRST_MINOR_WITHOUT_INSECURE_PORT ? ['--port=0'] : [])
  ]
}
