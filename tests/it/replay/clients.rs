//! What each client sends, from its sources and captures of 2025 and 2026.
//!
//! All of them announce the same torrent, `replay::HASH`, whose bytes show how each escapes. Header
//! names, order and values are the client's own.

use super::Client;

/// libtorrent 2.0 in qBittorrent: lower-case escapes, `-_!.~*()` raw, one socket for each request.
pub const LIBTORRENT: Client = Client {
    announce: "GET /announce?info_hash=%124%ab%cd%ef%2b-_!~.*()Az0%20%00%ff\
               &peer_id=-qB4630-lTq8.(WXr~Zk&port=28381&uploaded=0&downloaded=0&left=LEFT\
               &corrupt=0&key=0A1B2C3DEVENT&numwant=200&compact=1&no_peer_id=1&supportcrypto=1\
               &redundant=0 HTTP/1.1\r\nHost: HOST\r\nUser-Agent: qBittorrent/4.6.3\r\n\
               Accept-Encoding: gzip\r\nConnection: close\r\n\r\n",
    update: "",
    scrape: "GET /scrape?info_hash=%124%ab%cd%ef%2b-_!~.*()Az0%20%00%ff HTTP/1.1\r\n\
             Host: HOST\r\nUser-Agent: qBittorrent/4.6.3\r\nAccept-Encoding: gzip\r\n\
             Connection: close\r\n\r\n",
    listed: Some("127.0.0.1:28381"),
};

/// Transmission 4, through libcurl: upper-case escapes, keep-alive.
pub const TRANSMISSION: Client = Client {
    announce: "GET /announce?info_hash=%124%AB%CD%EF%2B-_%21~.%2A%28%29Az0%20%00%FF\
               &peer_id=-TR4060-k8ll3q5s2d9x&port=51413&uploaded=0&downloaded=0&left=LEFT\
               &numwant=80&key=5F2C1A3B&compact=1&supportcrypto=1EVENT HTTP/1.1\r\n\
               Host: HOST\r\nUser-Agent: Transmission/4.0.6\r\nAccept: */*\r\n\
               Accept-Encoding: deflate, gzip, br, zstd\r\n\r\n",
    update: "",
    scrape: "GET /scrape?info_hash=%124%AB%CD%EF%2B-_%21~.%2A%28%29Az0%20%00%FF HTTP/1.1\r\n\
             Host: HOST\r\nUser-Agent: Transmission/4.0.6\r\nAccept: */*\r\n\
             Accept-Encoding: deflate, gzip, br, zstd\r\n\r\n",
    listed: Some("127.0.0.1:51413"),
};

/// rTorrent 0.9.8: `ip` is its address in the other family, no numwant.
pub const RTORRENT: Client = Client {
    announce: "GET /announce?info_hash=%124%AB%CD%EF%2B-%5F%21%7E%2E%2A%28%29Az0%20%00%FF\
               &peer_id=-lt0D80-%0B%1E%C1%FAkQ%7E%2E%00%99%D2%31&key=1a2b3c4d&ip=fd00::5\
               &compact=1&port=6890&uploaded=0&downloaded=0&left=LEFTEVENT HTTP/1.1\r\n\
               Host: HOST\r\nUser-Agent: rtorrent/0.9.8/0.13.8\r\nAccept: */*\r\n\
               Accept-Encoding: deflate, gzip\r\n\r\n",
    update: "",
    scrape: "GET /scrape?info_hash=%124%AB%CD%EF%2B-%5F%21%7E%2E%2A%28%29Az0%20%00%FF HTTP/1.1\r\n\
             Host: HOST\r\nUser-Agent: rtorrent/0.9.8/0.13.8\r\nAccept: */*\r\n\
             Accept-Encoding: deflate, gzip\r\n\r\n",
    listed: Some("127.0.0.1:6890 [fd00::5]:6890"),
};

/// aria2 1.36: a key of eight raw bytes, `Want-Digest`; never scrapes.
pub const ARIA2: Client = Client {
    announce: "GET /announce?info_hash=%124%AB%CD%EF%2B-_%21~.%2A%28%29Az0%20%00%FF\
               &peer_id=A2-1-36-0-%8D%F0%00%3Ak~%E1%7B%22%5E&uploaded=0&downloaded=0&left=LEFT\
               &compact=1&key=%B1%5D%00%FFq%26%3D%25&numwant=50&no_peer_id=1&port=6881EVENT\
               &supportcrypto=1 HTTP/1.1\r\nUser-Agent: aria2/1.36.0\r\nAccept: */*\r\n\
               Accept-Encoding: deflate, gzip\r\nHost: HOST\r\nPragma: no-cache\r\n\
               Cache-Control: no-cache\r\nConnection: close\r\n\
               Want-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n\r\n",
    update: "",
    scrape: "",
    listed: Some("127.0.0.1:6881"),
};

/// uTorrent 3.5.5: lower-case escapes for all but letters and digits, a binary peer id, a capital
/// in `Close`.
pub const UTORRENT: Client = Client {
    announce: "GET /announce?info_hash=%124%ab%cd%ef%2b-%5f%21%7e%2e%2a%28%29Az0%20%00%ff\
               &peer_id=-UT355W-%b6%b1%e9%19%00%0a%3b%87%f2%1c%9d%20&port=47111&uploaded=0\
               &downloaded=0&left=LEFT&corrupt=0&key=3A5F1B20EVENT&numwant=200&compact=1\
               &no_peer_id=1 HTTP/1.1\r\nHost: HOST\r\n\
               User-Agent: uTorrent/355(111916666)(45838)\r\nAccept-Encoding: gzip\r\n\
               Connection: Close\r\n\r\n",
    update: "",
    scrape: "GET /scrape?info_hash=%124%ab%cd%ef%2b-%5f%21%7e%2e%2a%28%29Az0%20%00%ff HTTP/1.1\r\n\
             Host: HOST\r\nUser-Agent: uTorrent/355(111916666)(45838)\r\nAccept-Encoding: gzip\r\n\
             Connection: Close\r\n\r\n",
    listed: Some("127.0.0.1:47111"),
};

/// BitComet 2: a key of five digits, an empty event for an update, parameters of its own.
pub const BITCOMET: Client = Client {
    announce: "GET /announce?info_hash=%124%ab%cd%ef%2b%2d%5f%21%7e%2e%2a%28%29Az0%20%00%ff\
               &peer_id=%2dBC0206%2d%a3%11%7f%00%ee%5b%c2%8a%04%d9%f1%30&port=24680&natmapped=1\
               &localip=192.168.1.5&port_type=lan&uploaded=0&downloaded=0&left=LEFT&numwant=200\
               &compact=1&no_peer_id=1&key=31415EVENT HTTP/1.1\r\nHost: HOST\r\n\
               Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: BitComet/2.06.11.24\r\n\
               Connection: close\r\n\r\n",
    update: "&event=",
    scrape: "GET /scrape?info_hash=%124%ab%cd%ef%2b%2d%5f%21%7e%2e%2a%28%29Az0%20%00%ff \
             HTTP/1.1\r\nHost: HOST\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\
             User-Agent: BitComet/2.06.11.24\r\nConnection: close\r\n\r\n",
    listed: Some("127.0.0.1:24680"),
};

/// BiglyBT 3.6, which forces encryption: no plain port, and a host name in `ip`.
pub const BIGLYBT: Client = Client {
    announce: "GET /announce?info_hash=%124%AB%CD%EF%2B-_%21%7E.*%28%29Az0%20%00%FF\
               &peer_id=-BI3600-xYq8Lm2Pz0Rt&requirecrypto=1&port=0&cryptoport=16881\
               &ip=seedbox.example&azudp=16881&uploaded=0&downloaded=0&left=LEFT&corrupt=0EVENT\
               &numwant=100&no_peer_id=1&compact=1&key=qWeRtYuI&azver=3 HTTP/1.1\r\n\
               User-Agent: BiglyBT 3.6.0.0;Windows 11;Java 17.0.5\r\nConnection: close\r\n\
               Accept-Encoding: gzip\r\nHost: HOST\r\n\
               Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n\r\n",
    update: "",
    scrape: "GET /scrape?info_hash=%124%AB%CD%EF%2B-_%21%7E.*%28%29Az0%20%00%FF HTTP/1.1\r\n\
             User-Agent: BiglyBT 3.6.0.0;Windows 11;Java 17.0.5\r\nConnection: close\r\n\
             Accept-Encoding: gzip\r\nHost: HOST\r\n\
             Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n\r\n",
    listed: None,
};

/// anacrolix/torrent, through Go's HTTP client: parameters in the order of their names, `ip` twice.
pub const ANACROLIX: Client = Client {
    announce: "GET /announce?compact=1&downloaded=0EVENT\
               &info_hash=%124%AB%CD%EF%2B-_%21~.%2A%28%29Az0%20%00%FF&ip=192.168.7.7\
               &ip=fd00%3A%3A7&key=1873463517&left=LEFT&numwant=-1\
               &peer_id=-GT0003-%D3%F5%07%1B%00%80z%2B%E9-.%7F&port=42069&supportcrypto=1\
               &uploaded=0 HTTP/1.1\r\nHost: HOST\r\n\
               User-Agent: anacrolix/torrent v1.58.0\r\nAccept-Encoding: gzip\r\n\r\n",
    update: "",
    scrape: "",
    listed: Some("192.168.7.7:42069 [fd00::7]:42069"),
};

/// rqbit 8, through reqwest: header names in lower case, neither key nor numwant.
pub const RQBIT: Client = Client {
    announce: "GET /announce?info_hash=%124%AB%CD%EF%2B-_%21~.%2A%28%29Az0%20%00%FF\
               &peer_id=-rQ8010-%A7%01%FE%5C%00k%9D%2F%E4%13%88%F6EVENT&port=4240&uploaded=0\
               &downloaded=0&left=LEFT&compact=1&no_peer_id=0 HTTP/1.1\r\naccept: */*\r\n\
               user-agent: rqbit 8.1.0\r\nhost: HOST\r\n\r\n",
    update: "",
    scrape: "",
    listed: Some("127.0.0.1:4240"),
};
