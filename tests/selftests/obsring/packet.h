/* SPDX-License-Identifier: MIT */
/* Packets over the loopback that the kernel drops, each for a known reason. */
#ifndef SELFTEST_PACKET_H
#define SELFTEST_PACKET_H

/* NO_SOCKET: @nr UDP packets to a port where nobody listens. 0 or -errno. */
int packets_without_socket(unsigned int nr);

/* IP_NOPROTO: @nr IPv4 packets of a protocol that nobody speaks. */
int packets_without_protocol(unsigned int nr);

/* SOCKET_FILTER: @nr UDP packets to a socket whose filter takes none. */
int packets_filtered(unsigned int nr);

/* @nr UDP packets that lie in a socket when it is closed. */
int packets_unread(unsigned int nr);

/* @send as above, on one CPU: all were dropped when it returns, wherever that is done. */
int packets_dropped(int (*send)(unsigned int nr), unsigned int nr);

#endif /* SELFTEST_PACKET_H */
