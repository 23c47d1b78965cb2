import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A stand-in for MongoDB in memory, for tests, on loopback: `java -cp ... Server PORT`, ended by SIGTERM. */
public final class Server {
    /** What the server says it is: drivers refuse one that speaks less than wire version 9. */
    private static final class Four implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        MemoryBackend backend = new MemoryBackend();
        backend.version(new Four());
        MongoServer server = new MongoServer(backend);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdownNow();
            ended.countDown();
        }));
        server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
        System.out.println("listening on 127.0.0.1:" + arguments[0]);
        ended.await();
    }
}
